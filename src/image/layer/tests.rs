//! Which files a layer has, and what stands in them.

use super::*;

/// Every file becomes a short one.
struct Shortened;

impl Rules for Shortened {
    fn skips(&self, _: &Path, _: &Metadata) -> bool {
        false
    }

    fn link(&self, _: &Path, _: &Path) -> Result<Link> {
        Ok(Link::Nothing)
    }

    fn content(&self, _: &Path, _: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(Some(b"short".to_vec()))
    }
}

#[test]
fn the_root_folder_is_opened_by_its_own_entry() {
    let parts =
        ["", "srv/app"].map(|to| Part::Folder { to: to.to_owned(), owner: Owner::default() });
    let mut file = tempfile::tempfile().unwrap();
    let written = write(&parts, 0, &Secrets::default(), &mut file).unwrap();
    assert!(written.contents.root_lets_in(7));
    let mut closed = Contents::default();
    closed.add_folder("", Some(0));
    closed.put_over(&written.contents);
    assert!(closed.root_lets_in(7));
    io::Seek::rewind(&mut file).unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let entries = archive.entries().unwrap().map(Result::unwrap);
    let entries =
        entries.map(|entry| (entry.path_bytes().into_owned(), entry.header().mode().unwrap()));
    let expected = [b"./".as_slice(), b"srv/", b"srv/app/"].map(|path| (path.to_vec(), 0o755));
    assert_eq!(entries.collect::<Vec<_>>(), expected);
}

#[test]
fn a_long_list_of_files_and_a_long_script_are_changed_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("env");
    fs::create_dir_all(from.join("p-1.dist-info")).unwrap();
    let long = vec![b'x'; usize::try_from(LARGEST_TEXT).unwrap() + 1];
    for file in ["p-1.dist-info/RECORD", "other", "text", ".wh.other"] {
        fs::write(from.join(file), if file == "text" { b"x" } else { &*long }).unwrap();
    }
    fs::write(from.join("script"), [b"#!", &*long].concat()).unwrap();
    let parts = [Part::Tree { from, to: "env".to_owned(), rules: &Shortened }];
    let path = folder.path().join("layer");
    let mut file = File::create(&path).unwrap();
    let written = write(&parts, 0, &Secrets::default(), &mut file).unwrap();
    assert!(written.warnings[0].starts_with("/env/.wh.other is left out"));
    let layer = flate2::read::GzDecoder::new(File::open(&path).unwrap());
    let mut archive = tar::Archive::new(layer);
    let files = archive.entries().unwrap().map(Result::unwrap);
    let files = files.filter(|entry| entry.header().entry_type() == EntryType::Regular);
    let sizes: Vec<_> = files.map(|entry| entry.size()).collect();
    assert_eq!(sizes, [LARGEST_TEXT + 1, 5, 5, 5], "other, RECORD, script, text");
}
