//! One figure as a line of JSON.

use serde_json::{Map, Value, json};

/// A figure, and what it is measured against.
pub struct Line {
    /// Which scenario, and which figure of it.
    pub scenario: &'static str,
    /// What of the scenario was measured.
    pub figure: &'static str,
    /// How many records, or how many times.
    pub n: usize,
    /// The figure; the median of all rounds.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// What the machine, or the rule, gives: name and figure.
    pub yardstick: (&'static str, f64),
    /// What is asked.
    pub target: String,
    /// Whether it is so.
    pub pass: bool,
    /// What else belongs to it.
    pub more: Value,
}

impl Line {
    /// Prints it.
    pub fn print(self) {
        let (name, figure) = self.yardstick;
        let mut line = Map::new();
        let mut put = |key: &str, value: Value| line.insert(key.to_owned(), value);
        put("scenario", self.scenario.into());
        put("figure", self.figure.into());
        put("n", self.n.into());
        put("value", number(self.value));
        put("unit", self.unit.into());
        put(
            "yardstick",
            json!({ "name": name, "figure": number(figure) }),
        );
        put("ratio", number(self.value / figure));
        put("target", self.target.into());
        put("pass", self.pass.into());
        if let Value::Object(more) = self.more {
            line.extend(more);
        }
        println!("{}", Value::Object(line));
    }
}

/// A number with four digits that count; what is none is null.
pub fn number(value: f64) -> Value {
    if !value.is_finite() {
        return Value::Null;
    }
    let rounded: f64 = format!("{value:.3e}").parse().expect("a number");
    json!(rounded)
}

/// Numbers of all rounds.
pub fn numbers(values: &[f64]) -> Value {
    values.iter().map(|value| number(*value)).collect()
}
