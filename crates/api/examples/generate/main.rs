//! Writes `src/wire/generated` from the service models in `model`, those from botocore's, and the README's table.
//!
//! ```text
//! cargo run -p vpc-api --example generate                    the Rust tables from model/*.json
//! cargo run -p vpc-api --example generate -- --prune DIR     model/*.json from DIR/{ec2,elbv2,sts}.json, first
//! ```
//!
//! DIR holds botocore's `service-2.json` of each service, unpacked (see `model/README.md`).

mod emit;
mod prune;
mod readme;

use std::error::Error;
use std::path::Path;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {}
        ["--prune", from] => {
            let actions = fs::read_to_string(root.join("model/actions.txt"))?;
            for service in emit::SERVICES {
                let full = fs::read_to_string(Path::new(from).join(format!("{service}.json")))?;
                let pruned = prune::prune(service, &serde_json::from_str(&full)?, &actions)?;
                fs::write(root.join(format!("model/{service}.json")), pruned)?;
            }
        }
        _ => return Err("expected nothing, or --prune and a directory".into()),
    }
    for service in emit::SERVICES {
        let model = fs::read_to_string(root.join(format!("model/{service}.json")))?;
        let code = emit::emit(service, &serde_json::from_str(&model)?)?;
        fs::write(root.join(format!("src/wire/generated/{service}.rs")), code)?;
    }
    let path = root.join("README.md");
    let text = readme::with_table(&fs::read_to_string(&path)?).ok_or("README.md has no place for its table")?;
    fs::write(path, text)?;
    Ok(())
}
