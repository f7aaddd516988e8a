//! Rolls a release out in a Kubernetes cluster, and takes it back. The objects are made here;
//! kubectl, the user's own, applies them. See <https://kubernetes.io/docs/concepts/>.
//!
//! What is applied is recorded beside the deployment's record, so that it can be applied again as
//! it was: `kubectl rollout undo` knows nothing of Services, and forgets what is older than its
//! history.

mod apply;
mod begun;
mod check;
mod complaint;
mod diagnosis;
mod error;
mod job;
mod kubectl;
mod live;
mod logs;
mod manifests;
mod names;
mod oneoff;
mod owner;
mod patches;
mod patience;
mod place;
mod pod;
mod reach;
mod record;
mod removal;
mod restart;
mod rollout;
mod secret;
mod undo;
mod watch;
mod yaml;

pub use check::{check, check_processes};
pub use live::{Live, Pod};
pub use logs::Logs;
pub use place::Place;
pub use record::{Release, Rollout, is_in_cluster, obstacle, todays};
pub use rollout::{Wanted, again, prepare};
pub use secret::forget;
pub use undo::{bring_back, is_needed, is_unsettled};
pub use yaml::to_yaml;
