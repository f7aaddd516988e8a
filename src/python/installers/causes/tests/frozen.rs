//! Of requirements that were written on another machine.

use super::*;

#[test]
fn a_package_of_another_system_says_which() {
    let line = Line {
        key: "pywin32".to_owned(),
        text: "pywin32==306 ; python_version > \"3\"".to_owned(),
        ..requirement()
    };
    let pip = "ERROR: Could not find a version that satisfies the requirement pywin32==306 (from \
               versions: none)";
    let pip = told_of(line.clone(), Installer::Pip, pip);
    insta::assert_snapshot!(pip, @r#"
    pywin32 is for Windows only
    Write pywin32==306 ; sys_platform == "win32" in line 2 of requirements.txt, commit, and push again
    "#);
    let uv = "error: No solution found\ncause: Because pywin32==306 has no wheels with a matching \
              Python ABI tag (e.g., `cp313`) and you require pywin32==306";
    assert_eq!(told_of(line, Installer::Uv, uv), pip);
    let built = "\
fatal error: io.h: No such file or directory
ERROR: Failed building wheel for twisted-iocpsupport
Failed to build twisted-iocpsupport
";
    insta::assert_snapshot!(told(Installer::Pip, built), @r#"
    twisted-iocpsupport is for Windows only
    Find what needs it in requirements.txt, add ; sys_platform == "win32" to that line, commit, and push again
    "#);
    let uv =
        "error: Failed to build `pyobjc-core==13.0`\ncause: The build backend returned an error";
    insta::assert_snapshot!(told(Installer::Uv, uv), @r#"
    pyobjc-core is for macOS only
    Find what needs it in requirements.txt, add ; sys_platform == "darwin" to that line, commit, and push again
    "#);
    let needed = "pypiwin32==223 depends on pywin32>=223 and pywin32 was not found in the package \
                  registry";
    assert!(of_uv(needed).starts_with("pywin32 is for Windows only"), "{}", of_uv(needed));
}

#[test]
fn what_pip_of_debian_lists_is_to_be_removed() {
    insta::assert_snapshot!(not_found("pkg-resources==0.0.0", "none"), @"
    pkg-resources is no package: pip of Debian and Ubuntu lists it by mistake
    Remove it (requirements.txt), commit, and push again
    ");
    insta::assert_snapshot!(not_found("python-apt==2.4.0+ubuntu1", "none"), @"
    python-apt==2.4.0+ubuntu1 is a package of Debian or Ubuntu, and in no index
    Remove it (requirements.txt), commit, and push again
    ");
    let uv = "there is no version of python-apt==2.4.0+ubuntu1 and you require \
              python-apt==2.4.0+ubuntu1";
    assert_eq!(of_uv(uv), not_found("python-apt==2.4.0+ubuntu1", "none"));
}

#[test]
fn a_path_of_the_machine_that_conda_built_on_is_said() {
    let path = "/croot/certifi_1690232220950/work/certifi";
    let line = Line {
        key: "certifi".to_owned(),
        text: format!("certifi @ file://{path}"),
        ..requirement()
    };
    let pip = format!(
        "ERROR: Could not install packages due to an OSError: [Errno 2] No such file or directory: \
         '{path}'"
    );
    let told = told_of(line.clone(), Installer::Pip, &pip);
    insta::assert_snapshot!(told, @"
    certifi is asked for from /croot/certifi_1690232220950/work/certifi, which is not on this machine
    Write certifi==VERSION in line 2 of requirements.txt, commit, and push again
    If conda wrote such lines, this writes versions: pip list --format=freeze > requirements.txt
    ");
    let uv = format!("error: Distribution not found at: file://{path}");
    assert_eq!(told_of(line, Installer::Uv, &uv), told);
    assert_eq!(self::told(Installer::Uv, &uv), "", "another requirement's");
}
