//! nyala is broken on purpose, for example killed at every change of the disk.

mod children;
mod clock;
mod limits;
mod lives;
mod points;
mod power;
mod power_cut;
mod switch;
mod trial;

pub(crate) use trial::Trial;
