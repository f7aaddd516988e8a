//! Which of Debian's packages has a header, a library or a program that a build looks for.

/// By the beginning of a header's path, as C names it.
const HEADERS: [(&str, &str); 46] = [
    ("Python.h", "python3-dev"),
    ("alsa/", "libasound2-dev"),
    ("boost/", "libboost-dev"),
    ("bzlib.h", "libbz2-dev"),
    ("cairo.h", "libcairo2-dev"),
    ("cups/", "libcups2-dev"),
    ("curl/", "libcurl4-openssl-dev"),
    ("dbus/", "libdbus-1-dev"),
    ("ev.h", "libev-dev"),
    ("ffi.h", "libffi-dev"),
    ("ft2build.h", "libfreetype-dev"),
    ("gdal.h", "libgdal-dev"),
    ("geos_c.h", "libgeos-dev"),
    ("glib.h", "libglib2.0-dev"),
    ("gmp.h", "libgmp-dev"),
    ("graphviz/", "libgraphviz-dev"),
    ("gssapi", "libkrb5-dev"),
    ("hdf5.h", "libhdf5-dev"),
    ("jpeglib.h", "libjpeg-dev"),
    ("krb5.h", "libkrb5-dev"),
    ("lber.h", "libldap-dev libsasl2-dev"),
    ("lcms2.h", "liblcms2-dev"),
    ("ldap.h", "libldap-dev libsasl2-dev"),
    ("libavcodec/", "libavcodec-dev"),
    ("libmemcached/", "libmemcached-dev"),
    ("libpq-fe.h", "libpq-dev"),
    ("librdkafka/", "librdkafka-dev"),
    ("libvirt/", "libvirt-dev"),
    ("libxml/", "libxml2-dev"),
    ("libxslt/", "libxslt1-dev"),
    ("lzma.h", "liblzma-dev"),
    ("magic.h", "libmagic-dev"),
    ("mysql", "default-libmysqlclient-dev"),
    ("openssl/", "libssl-dev"),
    ("portaudio.h", "portaudio19-dev"),
    ("proj", "libproj-dev"),
    ("sasl/", "libsasl2-dev"),
    ("snappy", "libsnappy-dev"),
    ("sql.h", "unixodbc-dev"),
    ("sqlext.h", "unixodbc-dev"),
    ("sqlite3.h", "libsqlite3-dev"),
    ("sybdb.h", "freetds-dev"),
    ("systemd/", "libsystemd-dev"),
    ("xmlsec/", "libxmlsec1-dev"),
    ("zlib.h", "zlib1g-dev"),
    ("zmq.h", "libzmq3-dev"),
];

/// Programs, libraries for the linker (`-lpq`), and names that pkg-config and others ask for.
const NAMES: [(&str, &str); 52] = [
    ("-lcrypto", "libssl-dev"),
    ("-ljpeg", "libjpeg-dev"),
    ("-lldap", "libldap-dev"),
    ("-lmysqlclient", "default-libmysqlclient-dev"),
    ("-lodbc", "unixodbc-dev"),
    ("-lpq", "libpq-dev"),
    ("-lssl", "libssl-dev"),
    ("-lxml2", "libxml2-dev"),
    ("-lz", "zlib1g-dev"),
    ("c++", "build-essential"),
    ("cairo", "libcairo2-dev"),
    ("cargo", "cargo"),
    ("cc", "build-essential"),
    ("cmake", "cmake"),
    ("curl-config", "libcurl4-openssl-dev"),
    ("dbus-1", "libdbus-1-dev"),
    ("freetype2", "libfreetype-dev"),
    ("g++", "build-essential"),
    ("gcc", "build-essential"),
    ("gdal-config", "libgdal-dev"),
    ("geos-config", "libgeos-dev"),
    ("gfortran", "gfortran"),
    ("girepository-2.0", "libgirepository-2.0-dev"),
    ("git", "git"),
    ("gobject-introspection-1.0", "libgirepository1.0-dev"),
    ("hg", "mercurial"),
    ("jpeg", "libjpeg-dev"),
    ("krb5-config", "libkrb5-dev"),
    ("libffi", "libffi-dev"),
    ("libsystemd", "libsystemd-dev"),
    ("libvirt", "libvirt-dev"),
    ("libxml2", "libxml2-dev libxslt1-dev"),
    ("mariadb", "default-libmysqlclient-dev"),
    ("mariadb_config", "libmariadb-dev"),
    ("meson", "meson"),
    ("mysql_config", "default-libmysqlclient-dev"),
    ("mysqlclient", "default-libmysqlclient-dev"),
    ("nc-config", "libnetcdf-dev"),
    ("ninja", "ninja-build"),
    ("openblas", "libopenblas-dev"),
    ("openssl", "libssl-dev"),
    ("pangocairo", "libpango1.0-dev"),
    ("pg_config", "libpq-dev"),
    ("pkg-config", "pkg-config"),
    ("rustc", "cargo"),
    ("sdl2-config", "libsdl2-dev"),
    ("svn", "subversion"),
    ("swig", "swig"),
    ("xml2-config", "libxml2-dev"),
    ("xmlsec1", "libxmlsec1-dev"),
    ("xslt-config", "libxslt1-dev"),
    ("zlib", "zlib1g-dev"),
];

/// How programs say that something is not there, in lower case.
const MISSING: [&str; 17] = [
    "can not find",
    "can't find",
    "cannot find",
    "could not be found",
    "could not find",
    "could not locate",
    "could not run",
    "did not find",
    "must be installed",
    "no such file",
    "not found",
    "not installed",
    "packages are installed",
    "to be installed",
    "unable to find",
    "unable to locate",
    "unknown compiler",
];

/// The package that has what a line says is missing; `None` when it says no such thing, or nothing
/// that is known.
pub(super) fn of(line: &str) -> Option<&'static str> {
    let lower = line.to_lowercase();
    // What is in a requirements file is not missing from the machine.
    if line.starts_with("ERROR: Could not find a version") || lower.contains("no matching distr") {
        return None;
    }
    // mysqlclient asks pkg-config for several names, and mentions none.
    if lower.contains("can not find valid pkg-config name") {
        return Some("default-libmysqlclient-dev pkg-config");
    }
    if !MISSING.iter().any(|words| lower.contains(words)) {
        return None;
    }
    if let Some((_, header)) = line.split_once("fatal error: ") {
        let header = header.split(':').next().unwrap_or_default();
        let known = HEADERS.iter().find(|(beginning, _)| header.starts_with(beginning));
        return known.map(|(_, package)| *package);
    }
    let is_of_a_name = |letter: char| letter.is_alphanumeric() || "_-+./".contains(letter);
    let words = line.split(|letter| !is_of_a_name(letter));
    let mut known = words.filter_map(|word| {
        let word = word.trim_end_matches('.');
        // `/usr/bin/x86_64-linux-gnu-gcc`
        let word = word.rsplit_once("/bin/").map_or(word, |(_, name)| name);
        let word = word.split_once("-linux-gnu-").map_or(word, |(_, name)| name);
        NAMES.iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, package)| *package)
    });
    let said_of_rust = lower.contains("rust compiler") || lower.contains("rust package manager");
    known.next().or_else(|| said_of_rust.then_some("cargo"))
}
