//! `requires-python` of a pyproject.toml.

use nyala::python::version::{Version, Wanted};
use nyala::python::version_files;

use super::text::{LONGEST, assert_fit_to_be_shown};

pub fn check(data: &[u8]) {
    match version_files::requires_python(data) {
        Ok(None) => {}
        Ok(Some(wanted)) => {
            let Wanted::Specifiers(_) = &wanted else { panic!("{wanted:?} is no specifier") };
            let again: Wanted = wanted.to_string().parse().expect("what is printed is read again");
            assert_eq!(again, wanted);
            for version in [Version::new(2, 7, 18), Version::new(3, 11, 7), Version::new(3, 14, 0)]
            {
                assert_eq!(again.matches(&version), wanted.matches(&version));
            }
        }
        Err(error) => assert_fit_to_be_shown(&error.to_string(), LONGEST),
    }
}
