//! `.deployment`, and what is made of it.

use nyala::settings::EffectiveSettings;
use nyala::settings::deployment_file::{DeploymentFile, parse, with_command};
use nyala::site::{AppSettings, Settings};

use super::text::{LONGEST, assert_fit_to_be_shown, with_bom, with_crlf};

pub fn check(data: &[u8]) {
    let file = match parse(data) {
        Ok(file) => file,
        Err(error) => {
            assert!(std::str::from_utf8(data).is_err());
            return assert_fit_to_be_shown(&error.to_string(), LONGEST);
        }
    };
    for (key, value) in file.iter() {
        assert!(!key.contains('=') && !key.contains('\n') && key.trim() == key, "{key:?}");
        assert!(!value.contains('\n') && value.trim() == value, "{value:?}");
    }
    for same in [with_crlf(data), with_bom(data)].into_iter().flatten() {
        assert_eq!(parse(&same).expect("it was text before"), file);
    }
    let written: Vec<String> = file.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(
        parse(format!("[config]\n{}", written.join("\n")).as_bytes()).expect("it is text"),
        file
    );

    assert_a_command_can_be_put_in(std::str::from_utf8(data).expect("it was read as text"), &file);
    assert_it_can_be_resolved(&file);
}

fn assert_a_command_can_be_put_in(text: &str, file: &DeploymentFile) {
    let others = |file: &DeploymentFile| -> Vec<(String, String)> {
        let others = file.iter().filter(|(key, _)| !key.eq_ignore_ascii_case("command"));
        others.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    };
    let changed = with_command(text, "bash deploy.sh");
    let read = parse(changed.as_bytes()).expect("it is text");
    assert_eq!(read.get("command"), Some("bash deploy.sh"));
    assert_eq!(others(&read), others(file));
    assert_eq!(with_command(&changed, "bash deploy.sh"), changed);
}

fn assert_it_can_be_resolved(file: &DeploymentFile) {
    let settings = EffectiveSettings::resolve(&Settings::default(), &AppSettings::default(), file);
    match settings.checked() {
        Ok(settings) => {
            for warning in &settings.warnings {
                assert_fit_to_be_shown(warning, LONGEST);
                assert!(!warning.contains('\n'));
            }
            for (name, value) in &settings.variables {
                assert!(
                    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'),
                    "{name:?}"
                );
                assert!(!value.contains('\0'));
            }
            assert!(!settings.idle_timeout.value.is_zero());
            assert!(!settings.project_folder().is_absolute());
        }
        Err(error) => assert_fit_to_be_shown(&error.to_string(), LONGEST),
    }
}
