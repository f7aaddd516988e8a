//! nyala as it is, built with the feature `faults` and so able to die where a test wants it to.

use std::process::ExitCode;

fn main() -> ExitCode {
    nyala::cli::main()
}
