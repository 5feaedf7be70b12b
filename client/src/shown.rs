//! Makes text of others safe to print.
//!
//! **Invariant:** what leaves here moves no cursor, changes no colour and reorders nothing outside
//! itself; it reads the same to everybody.

/// Whether a character acts on the screen around it: control characters, and the embedding,
/// override and isolate characters of the bidirectional algorithm. The plain marks U+200E, U+200F
/// and U+061C stay: Arabic texts need them.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// The text with every such character but the line feed replaced by U+FFFD.
pub fn safe_lines(text: &str) -> String {
    text.replace(|c| c != '\n' && is_unsafe(c), "\u{FFFD}")
}

/// The text on one line, with every such character replaced by U+FFFD.
pub fn safe_line(text: &str) -> String {
    text.replace(is_unsafe, "\u{FFFD}")
}

/// JSON text with those characters escaped: the same values, and nothing that acts on a terminal.
/// Line feeds between the values stay.
pub fn safe_json(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && is_unsafe(c) {
            safe.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            safe.push(c);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_screen_is_replaced() {
        let evil = "a\u{1b}[2Jb\u{9b}31mc\u{202e}d\u{2066}e\rf\ng\u{7}";
        let line = safe_line(evil);
        assert!(!line.contains(is_unsafe), "{line:?}");
        assert_eq!(safe_lines("a\nb\u{1b}"), "a\nb\u{FFFD}");
        assert_eq!(safe_line("حوار\u{200F} أبوظبي"), "حوار\u{200F} أبوظبي");
    }

    #[test]
    fn json_keeps_its_values() {
        let value = serde_json::json!({ "title": "a\u{1b}b\u{9b}c\u{202e}d\ne\u{2029}" });
        let text = safe_json(&serde_json::to_string_pretty(&value).expect("json"));
        assert!(!text.replace('\n', "").contains(is_unsafe));
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).ok(),
            Some(value)
        );
    }
}
