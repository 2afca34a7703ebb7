//! What `~/.aws/config` and `~/.aws/credentials` say of a profile. The library reads neither.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A profile as both files have it: what the credentials say goes before what the configuration says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Profile {
    pub name: String,
    values: BTreeMap<String, String>,
    /// Values that stand below `services`, for S3 alone.
    pub is_known: bool,
}

const USUAL_NAME: &str = "default";

impl Profile {
    /// The profile that AWS_PROFILE names, else `default`.
    pub fn of_environment() -> Self {
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        let file = |variable: &str, usual: &str| {
            std::env::var_os(variable).filter(|path| !path.is_empty()).map_or_else(|| home.join(usual), PathBuf::from)
        };
        let set = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"].iter().find_map(|name| std::env::var(name).ok());
        let name = set.filter(|name| !name.is_empty()).unwrap_or_else(|| USUAL_NAME.to_owned());
        Self::read(
            &file("AWS_CONFIG_FILE", ".aws/config"),
            &file("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"),
            &name,
        )
    }

    fn read(config: &Path, credentials: &Path, name: &str) -> Self {
        let text = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
        Self::parse(&text(config), &text(credentials), name)
    }

    fn parse(config: &str, credentials: &str, name: &str) -> Self {
        let in_config = if name == USUAL_NAME { name.to_owned() } else { format!("profile {name}") };
        let (config, credentials) = (section(config, &in_config), section(credentials, name));
        let is_known = config.is_some() || credentials.is_some();
        let mut values = config.unwrap_or_default();
        values.extend(credentials.unwrap_or_default());
        Self { name: name.to_owned(), values, is_known }
    }

    /// What it says under that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// The values of a section, without those that are indented below another.
fn section(text: &str, name: &str) -> Option<BTreeMap<String, String>> {
    let mut values: Option<BTreeMap<String, String>> = None;
    let mut is_in = false;
    for line in text.lines() {
        let is_indented = line.starts_with([' ', '\t']);
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(title) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            is_in = title.split_whitespace().collect::<Vec<_>>().join(" ").replace('"', "") == name;
            if is_in {
                values.get_or_insert_default();
            }
        } else if let (true, false, Some((key, value))) = (is_in, is_indented, line.split_once('=')) {
            values.get_or_insert_default().insert(key.trim().to_lowercase(), value.trim().to_owned());
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "\
# a comment
[default]
region = eu-central-1
[profile team]
region=us-west-2
endpoint_url = http://127.0.0.1:9000
s3 =
  addressing_style = path
  region = wrong
credential_process = \"/opt/bin/keys\" --for team
";
    const CREDENTIALS: &str = "\
[default]
aws_access_key_id = AKIA1
aws_secret_access_key = a/b+c=
";

    #[test]
    fn both_files_count_and_what_is_indented_does_not() {
        let default = Profile::parse(CONFIG, CREDENTIALS, "default");
        assert_eq!(default.get("aws_secret_access_key"), Some("a/b+c="));
        assert_eq!(default.get("region"), Some("eu-central-1"));
        let team = Profile::parse(CONFIG, CREDENTIALS, "team");
        assert_eq!(team.get("region"), Some("us-west-2"));
        assert_eq!(team.get("credential_process"), Some("\"/opt/bin/keys\" --for team"));
        assert_eq!(team.get("aws_access_key_id"), None);
        assert!(!Profile::parse(CONFIG, CREDENTIALS, "other").is_known);
    }
}
