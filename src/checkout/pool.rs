//! The threads that share the work. Each takes a folder, does all there is to do in it, and puts
//! the folders below back for whoever is free.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Result, anyhow};

/// More threads than this only wait for each other: making a file takes the lock of its folder and
/// the file system's journal.
const MOST: usize = 4;

/// The tasks that nobody has taken yet.
pub(super) struct Pool<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    /// Whether a thread has failed.
    stopped: AtomicBool,
}

struct State<T> {
    /// The last one is taken first, so that what waits is bounded by the depth of the tree and not
    /// by its size.
    tasks: Vec<T>,
    /// Threads that have a task, and may find more.
    working: usize,
    waiting: usize,
}

/// Lets this thread begin with a task (`own`), and others with those that it leads to (`help`):
/// each goes on with [`Pool::next`] until nothing is left. Gives what each has done. Fails with the
/// first failure of a thread; the others find that the pool has stopped.
pub(super) fn work_together<T: Send, D: Send + Default>(
    first: T,
    own: impl FnOnce(&Pool<T>, T) -> Result<D>,
    help: impl Fn(&Pool<T>, T) -> Result<D> + Sync,
) -> Result<Vec<D>> {
    let pool = Pool {
        state: Mutex::new(State { tasks: Vec::new(), working: 1, waiting: 0 }),
        changed: Condvar::new(),
        stopped: AtomicBool::new(false),
    };
    let help = || {
        pool.guard(|| {
            pool.next(&mut Vec::new(), false).map_or_else(|| Ok(D::default()), |it| help(&pool, it))
        })
    };
    thread::scope(|scope| {
        // Where the system allows no more threads, this one does it all.
        let spawned = |_| thread::Builder::new().spawn_scoped(scope, help).ok();
        let others: Vec<_> = (1..thread_count()).filter_map(spawned).collect();
        let own = pool.guard(|| own(&pool, first));
        std::iter::once(own)
            .chain(others.into_iter().map(|other| {
                other
                    .join()
                    .unwrap_or_else(|_| Err(anyhow!("a thread that writes files has panicked")))
            }))
            .collect()
    })
}

fn thread_count() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(MOST)
}

impl<T> Pool<T> {
    /// Lets others begin with what a task has led to until now.
    pub(super) fn hand_over(&self, found: &mut Vec<T>) {
        let mut state = self.lock();
        state.tasks.append(found);
        if state.waiting > 0 {
            self.changed.notify_all();
        }
    }

    /// Puts back what a task led to, and takes the next one. `None` when nothing is left, or a
    /// thread has failed.
    ///
    /// `has_worked` is whether the thread had a task.
    pub(super) fn next(&self, found: &mut Vec<T>, has_worked: bool) -> Option<T> {
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

    /// A thread that fails or panics must not leave the others waiting for it.
    #[expect(clippy::mem_forget, reason = "dropping it would say that the thread has failed")]
    fn guard<D>(&self, work: impl FnOnce() -> Result<D>) -> Result<D> {
        let stop = StopOnDrop(self);
        let done = work()?;
        std::mem::forget(stop);
        Ok(done)
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct StopOnDrop<'a, T>(&'a Pool<T>);

impl<T> Drop for StopOnDrop<'_, T> {
    fn drop(&mut self) {
        let state = self.0.lock();
        self.0.stopped.store(true, Ordering::Relaxed);
        drop(state);
        self.0.changed.notify_all();
    }
}
