//! The threads that share the work. Each takes a folder, does all there is to do in it, and puts the folders below back for whoever is free.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context, Result, anyhow};

use super::worker::{Done, Job, Task, Worker};
use crate::git::{self, Repository};

/// More threads than this only wait for each other: making a file takes the lock of its folder and the file system's journal.
const MOST: usize = 4;

/// The tasks that nobody has taken yet.
pub(super) struct Crew<'m> {
    state: Mutex<State<'m>>,
    changed: Condvar,
    /// Whether a thread has failed.
    stopped: AtomicBool,
}

struct State<'m> {
    /// The last one is taken first, so that what waits is bounded by the depth of the tree and not by its size.
    tasks: Vec<Task<'m>>,
    /// Threads that have a task, and may find more.
    working: usize,
    waiting: usize,
}

/// Does a task and all that follow from it. Fails with the first failure of a thread; the others stop at their next file.
pub(super) fn carry_out<'m>(repository: &Repository, first: Task<'m>, job: Job<'m>) -> Result<Vec<Done>> {
    let crew = Crew {
        state: Mutex::new(State { tasks: Vec::new(), working: 1, waiting: 0 }),
        changed: Condvar::new(),
        stopped: AtomicBool::new(false),
    };
    // libgit2's handle is for one thread. Another thread opens its own, and only when there is something to do for it.
    let path = repository.path();
    let help = || {
        let stop = StopOnDrop(&crew);
        let done = match crew.next(&mut Vec::new(), false) {
            Some(task) => crew.work(&git::open_objects(path)?, task, job)?,
            None => Done::default(),
        };
        std::mem::forget(stop);
        Ok(done)
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..thread_count()).map(|_| scope.spawn(help)).collect();
        let own = crew.work(repository.objects(), first, job);
        std::iter::once(own)
            .chain(
                others.into_iter().map(|other| {
                    other.join().unwrap_or_else(|_| Err(anyhow!("a thread that writes files has panicked")))
                }),
            )
            .collect()
    })
}

fn thread_count() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(MOST)
}

impl<'m> Crew<'m> {
    /// What one thread does, from its first task to when nothing is left.
    fn work(&self, objects: &git2::Repository, first: Task<'m>, job: Job<'m>) -> Result<Done> {
        // A thread that fails or panics must not leave the others waiting for it.
        let stop = StopOnDrop(self);
        let odb = objects.odb().context("cannot read the repository's objects")?;
        let done = Worker::new(&odb, self, job).run(first)?;
        std::mem::forget(stop);
        Ok(done)
    }

    /// Lets others begin with what a task has led to until now.
    pub(super) fn hand_over(&self, found: &mut Vec<Task<'m>>) {
        let mut state = self.lock();
        state.tasks.append(found);
        if state.waiting > 0 {
            self.changed.notify_all();
        }
    }

    /// Puts back what a task led to, and takes the next one. `None` when nothing is left, or a thread has failed.
    ///
    /// `has_worked` is whether the thread had a task.
    pub(super) fn next(&self, found: &mut Vec<Task<'m>>, has_worked: bool) -> Option<Task<'m>> {
        let mut state = self.lock();
        state.working -= usize::from(has_worked);
        state.tasks.append(found);
        if state.waiting > 0 && state.tasks.len() > 1 {
            self.changed.notify_all();
        }
        loop {
            if self.has_stopped() {
                return None;
            }
            if let Some(task) = state.tasks.pop() {
                state.working += 1;
                return Some(task);
            }
            if state.working == 0 {
                self.changed.notify_all();
                return None;
            }
            state.waiting += 1;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
    }

    /// Whether a thread has failed.
    pub(super) fn has_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State<'m>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct StopOnDrop<'a, 'm>(&'a Crew<'m>);

impl Drop for StopOnDrop<'_, '_> {
    fn drop(&mut self) {
        let state = self.0.lock();
        self.0.stopped.store(true, Ordering::Relaxed);
        drop(state);
        self.0.changed.notify_all();
    }
}
