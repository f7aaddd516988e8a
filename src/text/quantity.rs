//! Sizes and durations in words.

use std::time::Duration;

/// Gives a number of bytes as people say it: `512 bytes`, `4.2 kB`, `12 MB`, in powers of 1000.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} byte{}", if bytes == 1 { "" } else { "s" });
    }
    // In tenths of a unit, rounded; a thousand of one unit is one of the next.
    let (mut tenths, mut unit) = ((bytes + 50) / 100, 0);
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths = (tenths + 500) / 1000;
        unit += 1;
    }
    let unit = UNITS[unit];
    if tenths < 100 {
        format!("{}.{} {unit}", tenths / 10, tenths % 10)
    } else {
        format!("{} {unit}", tenths / 10)
    }
}

/// Gives a duration as people say it: `0.3 s`, `20 s`, `10 min`, `1 h 5 min`. Two units are enough.
///
/// Not with jiff's printer: it has `1h 5m` and `1 hr 5 mins`, and gives every unit.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 10 {
        let tenths = duration.as_millis().div_ceil(100);
        let (whole, tenth) = (tenths / 10, tenths % 10);
        return if tenth == 0 { format!("{whole} s") } else { format!("{whole}.{tenth} s") };
    }
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
    parts
        .iter()
        .filter(|(number, _)| *number > 0)
        .take(2)
        .map(|(number, unit)| format!("{number} {unit}"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Gives the time that an answer took, in seconds, with two digits or three: `0.85 ms`, `5.1 ms`,
/// `120 ms`, `1.5 s`.
pub fn latency(seconds: f64) -> String {
    let millis = seconds * 1000.0;
    match millis {
        ..1.0 => format!("{millis:.2} ms"),
        ..10.0 => format!("{millis:.1} ms"),
        ..1000.0 => format!("{millis:.0} ms"),
        _ => format!("{seconds:.1} s"),
    }
}

/// How long ago something was, as people say it: `3 minutes ago`. In whole units, of which one is
/// enough. What is to come, by a clock that was set back, is now.
pub fn ago(seconds: i64) -> String {
    const UNITS: [(i64, &str); 6] = [
        (365 * 86_400, "year"),
        (30 * 86_400, "month"),
        (86_400, "day"),
        (3_600, "hour"),
        (60, "minute"),
        (1, "second"),
    ];
    let unit = UNITS.iter().find(|(length, _)| seconds >= *length);
    let Some((length, name)) = unit else { return "just now".to_owned() };
    let count = seconds / length;
    format!("{count} {name}{} ago", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_their_unit() {
        let of = |number| bytes(number);
        assert_eq!([of(0), of(1), of(999)], ["0 bytes", "1 byte", "999 bytes"]);
        assert_eq!([of(1000), of(4249), of(12_345)], ["1.0 kB", "4.2 kB", "12 kB"]);
        assert_eq!(
            [of(5_000_000), of(123_456_789), of(2_500_000_000)],
            ["5.0 MB", "123 MB", "2.5 GB"]
        );
    }

    #[test]
    fn durations_read_as_people_say_them() {
        let said = |milliseconds| duration(Duration::from_millis(milliseconds));
        assert_eq!(said(300), "0.3 s");
        assert_eq!(said(2000), "2 s");
        assert_eq!(said(20_400), "20 s");
        assert_eq!(said(600_000), "10 min");
        assert_eq!(said(3_900_000), "1 h 5 min");
    }

    #[test]
    fn times_read_as_people_say_them() {
        assert_eq!([ago(-5), ago(0)], ["just now", "just now"]);
        assert_eq!([ago(1), ago(59)], ["1 second ago", "59 seconds ago"]);
        assert_eq!([ago(60), ago(200)], ["1 minute ago", "3 minutes ago"]);
        assert_eq!([ago(3600), ago(86_399)], ["1 hour ago", "23 hours ago"]);
        assert_eq!([ago(86_400), ago(40 * 86_400)], ["1 day ago", "1 month ago"]);
        assert_eq!(ago(800 * 86_400), "2 years ago");
    }
}
