//! Generated lines between marker lines of a file that is otherwise written by hand.

/// `text` with the lines between the marker lines of `name` replaced. A marker line is a comment of any
/// indentation: `# generated: NAME` and `# end of generated: NAME`.
///
/// Fails if either marker is missing, twice there, or in the wrong order.
pub(crate) fn replace(text: &str, name: &str, lines: &str) -> Result<String, String> {
    let (begin, end) = (format!("# generated: {name}"), format!("# end of generated: {name}"));
    let mut found = [None, None];
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        for (place, marker) in [&begin, &end].into_iter().enumerate() {
            if line.trim() == marker.as_str() {
                if found[place].is_some() {
                    return Err(format!("the marker line `{marker}` is there twice"));
                }
                // After the first marker, before the second.
                found[place] = Some(if place == 0 { at + line.len() } else { at });
            }
        }
        at += line.len();
    }
    match found {
        [Some(from), Some(to)] if from <= to => {
            Ok(format!("{}{lines}{}", &text[..from], &text[to..]))
        }
        [Some(_), Some(_)] => Err(format!("the marker line `{end}` stands before its beginning")),
        [None, _] => Err(format!("the marker line `{begin}` is missing")),
        [_, None] => Err(format!("the marker line `{end}` is missing")),
    }
}

#[cfg(test)]
mod tests {
    use super::replace;

    const FILE: &str = "a\n  # generated: x\n  old\n  # end of generated: x\nb\n";

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let expected = "a\n  # generated: x\n  new\n  # end of generated: x\nb\n";
        assert_eq!(replace(FILE, "x", "  new\n").as_deref(), Ok(expected));
        let twice = replace(expected, "x", "  new\n");
        assert_eq!(twice.as_deref(), Ok(expected));
    }

    #[test]
    fn a_marker_that_is_missing_or_misplaced_is_named() {
        let problem = |text: &str, name: &str| replace(text, name, "").unwrap_err();
        assert_eq!(problem(FILE, "y"), "the marker line `# generated: y` is missing");
        let cut = FILE.replace("# end of generated: x", "");
        assert_eq!(problem(&cut, "x"), "the marker line `# end of generated: x` is missing");
        let twice = FILE.repeat(2);
        assert_eq!(problem(&twice, "x"), "the marker line `# generated: x` is there twice");
        let turned = "# end of generated: x\n# generated: x\n";
        assert!(problem(turned, "x").ends_with("stands before its beginning"));
    }
}
