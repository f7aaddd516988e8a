//! Markers mean what the specification says, and what is none is an error.

use super::*;

fn environment(python: &str) -> Environment {
    Environment {
        python: python.parse().unwrap(),
        machine: "x86_64".into(),
        release: "6.1.0-18-amd64".into(),
        system_version: "#1 SMP".into(),
        extras: ["postgres".to_owned()].into(),
        groups: ["dev".to_owned()].into(),
    }
}

#[test]
fn markers_mean_what_the_specification_says() {
    let on_312 = environment("3.12.1");
    for (marker, expected) in [
        ("", true),
        ("python_version >= '3.8'", true),
        ("python_version < '3.9'", false),
        ("'3.9' > python_version", false),
        ("python_full_version < '3.12.1'", false),
        ("python_version in '3.1 3.11'", false),
        ("python_version in '3.11, 3.12'", true),
        ("python_version not in '3.11 3.12'", false),
        ("python_version == '3.*'", true),
        ("python_version ~= '3.8'", true),
        ("sys_platform == 'win32'", false),
        ("sys_platform == 'win32' or os_name == 'posix' and platform_machine == 'x86_64'", true),
        ("(sys_platform == 'win32' or os_name == 'posix') and platform_machine == 'arm64'", false),
        ("platform_python_implementation != \"PyPy\"", true),
        ("'linux' in sys_platform", true),
        ("extra == 'Postgres'", true),
        ("extra != 'mysql'", true),
        ("'dev' in dependency_groups", true),
        ("'docs' in dependency_groups or 'mysql' in extras", false),
    ] {
        assert_eq!(holds(marker, &on_312), Ok(expected), "{marker}");
    }
}

#[test]
fn what_is_not_a_marker_is_an_error() {
    for marker in [
        "python_version",
        "python_version >=",
        "python_version >= '3.8",
        "python_version >= '3.8' and",
        "python_version >= 'x'",
        "colour == 'red'",
        "(python_version >= '3.8'",
        "python_version >= '3.8')",
        "extra < 'x'",
        "python_version => '3.8'",
        "os_name ~= 'posix'",
        "python_version not '3.8'",
        "🐍 == 'x'",
    ] {
        assert!(holds(marker, &environment("3.12.1")).is_err(), "{marker}");
    }
    let deep = format!("{}os_name == 'posix'{}", "(".repeat(5000), ")".repeat(5000));
    assert!(holds(&deep, &environment("3.12.1")).is_err());
}

#[test]
fn python_2_names_its_platform_with_a_number() {
    assert_eq!(holds("sys_platform == 'linux2'", &environment("2.7.18")), Ok(true));
}
