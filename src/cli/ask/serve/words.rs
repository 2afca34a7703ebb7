//! The parameters of a request as the words of a command line, so that one parser reads both.

use clap::{Arg, ArgAction, Command};

use emp_serve::{Asked, Kind, Refusal};

/// What a command takes at a shell alone: files of this machine, what is shown to a person, how it exits.
const AT_A_SHELL: [&str; 7] = ["exit-code", "help", "list", "output", "truth", "watch", "wrap"];

/// The name by which a parameter names an argument: that of its option, or what its value is called in `--help`.
fn name_of(argument: &Arg) -> String {
    let value = || argument.get_value_names().and_then(|names| names.first()).map(|name| name.to_lowercase());
    let long = argument.get_long().map(str::to_owned);
    long.or_else(value).unwrap_or_else(|| argument.get_id().to_string())
}

/// What can be said with a question.
pub(super) fn arguments_of(command: &Command) -> impl Iterator<Item = (String, &Arg)> {
    command
        .get_arguments()
        .map(|argument| (name_of(argument), argument))
        .filter(|(name, _)| !AT_A_SHELL.contains(&name.as_str()))
}

/// Is it said by being there?
pub(super) fn is_switch(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::SetTrue)
}

/// A question as the words that are typed for it, those of positional arguments last.
pub(super) fn words_of(command: &Command, asked: &Asked) -> Result<Words, Refusal> {
    let (mut options, mut positional) = (Vec::new(), Vec::new());
    for (name, value) in &asked.parameters {
        let known = arguments_of(command).find(|(known, _)| known == name);
        let (_, argument) = known.ok_or_else(|| unknown(command, &asked.name, name))?;
        if argument.is_positional() {
            positional.push(value.clone());
        } else if is_switch(argument) {
            if is_on(name, value)? {
                options.push(vec![format!("--{name}")]);
            }
        } else {
            options.push(vec![format!("--{name}"), value.clone()]);
        }
    }
    Ok(Words { command: asked.name.clone(), options, positional })
}

/// The words of a question.
pub(super) struct Words {
    command: String,
    options: Vec<Vec<String>>,
    positional: Vec<String>,
}

impl Words {
    /// With one more option.
    pub fn and(mut self, option: &str) -> Self {
        self.options.push(vec![option.to_owned()]);
        self
    }

    /// As a parser takes them, whatever a value begins with.
    pub fn for_parser(&self) -> Vec<String> {
        let options = self.options.iter().map(|words| words.join("="));
        let start = ["emp-events".to_owned(), self.command.clone()].into_iter();
        start.chain(options).chain(["--".to_owned()]).chain(self.positional.iter().cloned()).collect()
    }

    /// As a person types them.
    pub fn for_person(&self) -> impl Iterator<Item = &str> {
        let options = self.options.iter().flatten();
        [self.command.as_str()].into_iter().chain(self.positional.iter().chain(options).map(String::as_str))
    }
}

fn is_on(name: &str, value: &str) -> Result<bool, Refusal> {
    match value {
        "" | "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(Refusal::new(Kind::Usage, format!("`{name}` is true or false, not `{value}`"))),
    }
}

fn unknown(command: &Command, question: &str, name: &str) -> Refusal {
    let known = arguments_of(command).map(|(name, _)| name);
    let known: Vec<String> = known.chain(["format", "tz"].map(str::to_owned)).collect();
    Refusal::new(Kind::Usage, format!("`{question}` takes no `{name}`; it takes {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use clap::Args as _;

    use super::*;

    fn words(parameters: &[(&str, &str)]) -> Result<Vec<String>, Refusal> {
        let command = crate::cli::ask::diagnose::Diagnose::augment_args(Command::new("diagnose"));
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let words = words_of(&command, &Asked { name: "diagnose".to_owned(), parameters })?;
        Ok(words.for_parser())
    }

    #[test]
    fn parameters_become_words_of_which_none_is_taken_for_another() {
        let all = words(&[("job", "--output=/etc/passwd"), ("all", "true"), ("last", "-1h"), ("job", "b")]).unwrap();
        let wanted = ["emp-events", "diagnose", "--all", "--last=-1h", "--", "--output=/etc/passwd", "b"];
        assert_eq!(all, wanted);
        assert_eq!(words(&[("all", "false")]).unwrap(), ["emp-events", "diagnose", "--"]);
    }

    #[test]
    fn what_is_for_a_shell_alone_is_unknown() {
        for name in ["exit-code", "help", "output", "store", "redis", "nothing"] {
            let refusal = words(&[(name, "true")]).unwrap_err();
            assert_eq!(refusal.kind, Kind::Usage);
            assert!(refusal.message.contains("it takes job, all, since, until, last, now"), "{}", refusal.message);
        }
    }
}
