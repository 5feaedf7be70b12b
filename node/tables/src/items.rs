//! Several values in one cell, as people write them and without losing any.
//!
//! Short values stand side by side, divided by semicolons, or one a line. Texts stand one a line;
//! where one has several paragraphs, or none in this language, all are divided by lines of three
//! hyphens. Parts of a text are divided by vertical bars.

/// A line between two texts.
const DIVIDER: &str = "---";
/// Semicolons of the scripts in which tables are written.
const SEMICOLONS: [char; 3] = [';', '\u{61B}', '\u{FF1B}'];

/// Short values of a cell, none of them empty.
pub(crate) fn split_values(cell: &str) -> Vec<&str> {
    let values: Vec<&str> = if cell.contains('\n') {
        cell.split('\n').collect()
    } else {
        cell.split(SEMICOLONS).collect()
    };
    let trimmed = values.into_iter().map(str::trim);
    trimmed.filter(|value| !value.is_empty()).collect()
}

/// A cell of short values; the end of a line says that a semicolon in it divides nothing.
pub(crate) fn join_values(values: &[String]) -> String {
    if values.iter().any(|value| value.contains(SEMICOLONS)) {
        values.iter().map(|value| format!("{value}\n")).collect()
    } else {
        values.join("; ")
    }
}

fn is_divider(line: &str) -> bool {
    line.trim() == DIVIDER
}

/// A line of a text that would be taken for a divider has a backslash before it, and so has one
/// that would be taken for such a line.
fn is_like_divider(line: &str) -> bool {
    is_divider(line.trim_start().trim_start_matches('\\'))
}

/// Texts of a cell, each trimmed; where they are divided by lines of hyphens one may be empty.
pub(crate) fn split_texts(cell: &str) -> Vec<String> {
    if !cell.lines().any(is_divider) {
        let lines = cell.lines().map(str::trim).filter(|line| !line.is_empty());
        return lines.map(unescaped).collect();
    }
    let mut texts = vec![Vec::new()];
    for line in cell.lines() {
        if is_divider(line) {
            texts.push(Vec::new());
        } else if let Some(last) = texts.last_mut() {
            last.push(unescaped(line));
        }
    }
    let mut texts: Vec<String> = texts
        .iter()
        .map(|lines| lines.join("\n").trim().to_owned())
        .collect();
    if texts.last().is_some_and(String::is_empty) {
        texts.pop();
    }
    texts
}

fn unescaped(line: &str) -> String {
    match line.trim_start().strip_prefix('\\') {
        Some(rest) if is_like_divider(line) => rest.to_owned(),
        _ => line.to_owned(),
    }
}

/// A cell of texts.
pub(crate) fn join_texts(texts: &[String]) -> String {
    let line = |line: &str| match is_like_divider(line) {
        true => format!("\\{line}"),
        false => line.to_owned(),
    };
    let escaped = |text: &String| text.split('\n').map(line).collect::<Vec<_>>().join("\n");
    let divided = texts
        .iter()
        .any(|text| text.contains('\n') || text.trim().is_empty());
    let texts: Vec<String> = texts.iter().map(escaped).collect();
    if divided {
        texts.join("\n---\n") + "\n---"
    } else {
        texts.join("\n")
    }
}

/// The parts of a text, each trimmed; `None` if there are more than `most`.
pub(crate) fn split_parts(text: &str, most: usize) -> Option<Vec<String>> {
    if most == 1 {
        return Some(vec![text.trim().to_owned()]);
    }
    let mut parts = vec![String::new()];
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let Some(last) = parts.last_mut() else { break };
        match c {
            '\\' if chars.peek().is_some_and(|next| matches!(next, '\\' | '|')) => {
                last.extend(chars.next());
            }
            '|' => parts.push(String::new()),
            c => last.push(c),
        }
    }
    (parts.len() <= most).then(|| parts.iter().map(|part| part.trim().to_owned()).collect())
}

/// A text of parts; those that are empty at its end are left out.
pub(crate) fn join_parts(parts: &[String]) -> String {
    if let [only] = parts {
        return only.clone();
    }
    let filled = parts.iter().rposition(|part| !part.is_empty());
    let filled = &parts[..filled.map_or(0, |last| last + 1)];
    let escaped = |part: &String| part.replace('\\', "\\\\").replace('|', "\\|");
    filled.iter().map(escaped).collect::<Vec<_>>().join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn people_divide_in_several_ways() {
        assert_eq!(split_values("AE; PH ;"), ["AE", "PH"]);
        assert_eq!(split_values("عمال؛ نساء"), ["عمال", "نساء"]);
        assert_eq!(split_values("one; two\nthree"), ["one; two", "three"]);
        assert_eq!(split_texts("first\n\n second "), ["first", "second"]);
        let divided = split_texts("first\nline two\n---\nsecond");
        assert_eq!(divided, ["first\nline two", "second"]);
        let parts = split_parts("Ministry | state", 2);
        assert_eq!(parts, Some(vec!["Ministry".into(), "state".into()]));
        assert_eq!(split_parts("a | b | c", 2), None);
    }

    fn text() -> impl Strategy<Value = String> {
        let word = prop_oneof![
            "[a-z ;|\\\\]{0,6}",
            Just("---".to_owned()),
            Just("\\---".to_owned())
        ];
        let lines = prop::collection::vec(word, 1..4);
        lines.prop_map(|lines| {
            let lines: Vec<String> = lines.iter().map(|line| line.trim().to_owned()).collect();
            lines.join("\n").trim().to_owned()
        })
    }

    proptest! {
        #[test]
        fn nothing_is_lost(texts in prop::collection::vec(text(), 0..5)) {
            prop_assert_eq!(split_texts(&join_texts(&texts)), texts.clone());
            let lines = texts.iter().map(|text| text.replace('\n', " ").trim().to_owned());
            let lines: Vec<String> = lines.filter(|text| !text.is_empty()).collect();
            let joined = join_values(&lines);
            let back: Vec<String> = split_values(&joined).into_iter().map(str::to_owned).collect();
            prop_assert_eq!(back, lines);
            let mut parts = texts;
            parts.truncate(4);
            parts.resize(4, String::new());
            let mut back = split_parts(&join_parts(&parts), 4).expect("four");
            back.resize(4, String::new());
            prop_assert_eq!(back, parts);
        }
    }
}
