//! Runs one fuzz target: built by `tests/fuzz`, with libFuzzer's own `main`, the one that
//! `CORRIDOR_FUZZ_TARGET` names. Built as everything else it lists the targets and writes seeds.
//!
//! **Invariant:** what a target does is in `corridor_tests::fuzz`.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
mod driven {
    use std::sync::LazyLock;

    use corridor_tests::fuzz::{Target, target};

    static CHOSEN: LazyLock<Target> = LazyLock::new(|| {
        let name = std::env::var("CORRIDOR_FUZZ_TARGET").unwrap_or_default();
        target(&name).unwrap_or_else(|| panic!("CORRIDOR_FUZZ_TARGET names no target: {name:?}"))
    });

    libfuzzer_sys::fuzz_target!(|bytes: &[u8]| CHOSEN(bytes));
}

#[cfg(not(fuzzing))]
#[allow(clippy::print_stdout, reason = "this is a program")]
fn main() -> anyhow::Result<()> {
    use corridor_tests::fuzz::{TARGETS, corpus, seeds};
    use sha2::{Digest, Sha256};

    match std::env::args().nth(1).as_deref() {
        Some("list") => TARGETS.iter().for_each(|(name, _)| println!("{name}")),
        Some("seeds") => {
            let vectors = corpus().join("../../proto/vectors");
            for (target, found) in seeds::seeds(&vectors)? {
                let folder = corpus().join(target);
                std::fs::create_dir_all(&folder)?;
                for entry in std::fs::read_dir(&folder)? {
                    let entry = entry?;
                    if entry.file_name().to_string_lossy().starts_with("seed-") {
                        std::fs::remove_file(entry.path())?;
                    }
                }
                for seed in found {
                    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(&seed)[..8]);
                    std::fs::write(folder.join(format!("seed-{digest}")), seed)?;
                }
            }
        }
        _ => anyhow::bail!("say list or seeds; to fuzz, run tests/fuzz"),
    }
    Ok(())
}
