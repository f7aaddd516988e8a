//! Repositories are built with the real git, and what it checks out itself is what we compare with.

mod attributes;
mod histories;
mod hostile;
mod ordinary;
mod repo;
mod update;
