//! The API's own description, as OpenAPI has it: made of the options of the commands, so that it cannot differ from them.

use clap::{Arg, Command};
use serde_json::{Map, Value, json};

use super::follow;
use super::jaeger::Jaeger;
use super::shapes::shape_of;
use super::words::{arguments_of, is_switch};

/// The document about these questions.
pub(super) fn described<'a>(commands: &Command, names: impl Iterator<Item = &'a str>) -> Value {
    let mut paths = Map::new();
    for name in names {
        let Some(command) = commands.find_subcommand(name) else { continue };
        match name {
            "sql" => _ = paths.insert("/api/v1/sql".to_owned(), json!({"post": statement(command)})),
            "query" => {
                paths.insert(
                    "/api/v1/query".to_owned(),
                    json!({"get": operation("query", command, &["name", "param"])}),
                );
                let mut canned = operation("query", command, &["name"]);
                canned["operationId"] = json!("canned-query");
                if let Some(parameters) = canned["parameters"].as_array_mut() {
                    parameters
                        .push(json!({"name": "name", "in": "path", "required": true, "schema": {"type": "string"}}));
                }
                paths.insert("/api/v1/query/{name}".to_owned(), json!({"get": canned}));
            }
            _ => _ = paths.insert(format!("/api/v1/{name}"), json!({"get": operation(name, command, &[])})),
        }
    }
    if let Some(command) = commands.find_subcommand("diagnose") {
        let mut needs_a_look = operation("needs-a-look", command, &["all", "job"]);
        needs_a_look["summary"] = json!("Every job with which something is wrong, grouped by cause");
        paths.insert("/api/v1/needs-a-look".to_owned(), json!({"get": needs_a_look}));
    }
    for (name, path, in_path) in Jaeger::PATHS {
        if let Some(command) = commands.find_subcommand(name) {
            paths.insert(path.to_owned(), json!({"get": of_jaeger(name, command, in_path)}));
        }
    }
    paths.insert("/api/v1/tail".to_owned(), json!({"get": stream("tail", &follow::command())}));
    paths.insert("/api/v1/live".to_owned(), live());
    paths.insert("/api/v1/session".to_owned(), session());
    paths.insert("/api/v1/openapi.json".to_owned(), text("openapi", "This description", "application/json", true));
    paths.insert("/healthz".to_owned(), text("healthz", "Is the server there?", "text/plain", false));
    paths.insert(
        "/metrics".to_owned(),
        text("metrics", "What the server counts, as Prometheus reads it", "text/plain", true),
    );
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "emp-events",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Each question is the command of the same name, and its answer what --format json prints.",
        },
        // From where this document is.
        "servers": [{"url": "../.."}],
        "security": [{"token": []}, {"cookie": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "emp-events"},
            },
            "schemas": {"Error": error_schema()},
        },
    })
}

/// `GET` of a question; some of what the command takes is said otherwise.
fn operation(name: &str, command: &Command, left_out: &[&str]) -> Value {
    let own = arguments_of(command).filter(|(name, _)| !left_out.contains(&name.as_str()));
    let mut parameters: Vec<Value> = own.map(|(name, argument)| parameter(&name, argument)).collect();
    let forms: &[&str] = match name {
        "report" => &["markdown"],
        "export" => &[],
        _ => &["json", "ndjson", "csv", "markdown"],
    };
    if !forms.is_empty() {
        parameters.push(json!({"name": "format", "in": "query", "schema": {"type": "string", "enum": forms}}));
    }
    parameters.push(json!({"name": "tz", "in": "query", "schema": {"type": "string"}, "description": "Time zone of times that are typed"}));
    json!({
        "operationId": name,
        "summary": about(command),
        "parameters": parameters,
        "responses": responses(shape_of(name)),
    })
}

/// `GET` of what Jaeger's own page asks.
fn of_jaeger(name: &str, command: &Command, in_path: &[&str]) -> Value {
    let parameters = arguments_of(command).map(|(name, argument)| {
        let mut parameter = parameter(&name, argument);
        if in_path.contains(&name.as_str()) {
            parameter["in"] = json!("path");
        }
        parameter
    });
    let data = json!({"type": "object", "required": ["data"], "properties": {"data": {"type": "array"}}});
    let answered = json!({"description": "The answer", "content": {"application/json": {"schema": data}}});
    json!({
        "operationId": name,
        "summary": about(command),
        "parameters": parameters.collect::<Vec<_>>(),
        "responses": {"200": answered, "default": refused()},
    })
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn parameter(name: &str, argument: &Arg) -> Value {
    let values = argument.get_possible_values();
    let mut schema = json!({"type": "string"});
    if is_switch(argument) {
        schema = json!({"type": "boolean"});
    } else if !values.is_empty() {
        schema["enum"] = values.iter().map(|value| value.get_name()).collect();
    }
    let is_list = matches!(argument.get_action(), clap::ArgAction::Append);
    if is_list {
        schema = json!({"type": "array", "items": schema});
    }
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    json!({"name": name, "in": "query", "required": argument.is_required_set(), "description": help, "schema": schema})
}

fn statement(command: &Command) -> Value {
    let text = json!({"type": "string"});
    let body = json!({
        "type": "object",
        "required": ["statement"],
        "additionalProperties": false,
        "properties": {
            "statement": text,
            "format": {"type": "string", "enum": ["json", "ndjson", "csv", "markdown", "parquet"]},
            "limit": {"type": "integer", "minimum": 0},
            "now": text,
            "tz": text,
        },
    });
    json!({
        "operationId": "sql",
        "summary": about(command),
        "requestBody": {"required": true, "content": {"application/json": {"schema": body}}},
        "responses": responses(shape_of("sql")),
    })
}

fn stream(name: &str, command: &Command) -> Value {
    let parameters: Vec<Value> = arguments_of(command).map(|(name, argument)| parameter(&name, argument)).collect();
    let mut responses = responses(json!({}));
    responses["200"] =
        json!({"description": "Events, until the connection is closed", "content": {"text/event-stream": {}}});
    json!({"operationId": name, "summary": about(command), "parameters": parameters, "responses": responses})
}

fn live() -> Value {
    let text = |name: &str, description: &str| json!({"name": name, "in": "query", "required": false, "description": description, "schema": {"type": "string"}});
    let parameters = [
        text(
            "views",
            "Questions without an end, such as needs-a-look,health: each is told as it changes, under its name",
        ),
        text("tail", "Events beside them, as of `tail`: its parameters as one text, such as level%3Derror"),
    ];
    json!({
        "operationId": "live",
        "summary": "Follow several answers as they change, and events beside them, over one connection",
        "parameters": parameters,
        "responses": {"200": {"description": "Until the connection is closed", "content": {"text/event-stream": {}}}, "default": refused()},
    })
}

/// `GET` of a text.
fn text(name: &str, summary: &str, kind: &str, is_guarded: bool) -> Value {
    let mut operation = json!({
        "operationId": name,
        "summary": summary,
        "responses": {"200": {"description": summary, "content": {kind: {}}}, "default": refused()},
    });
    if !is_guarded {
        operation["security"] = json!([]);
    }
    json!({"get": operation})
}

fn session() -> Value {
    let body = json!({"type": "object", "required": ["token"], "properties": {"token": {"type": "string"}}});
    let state = json!({
        "type": "object",
        "required": ["signed_in"],
        "properties": {"signed_in": {"type": "boolean"}},
    });
    let answered =
        json!({"description": "Whether this is signed in", "content": {"application/json": {"schema": state}}});
    json!({
        "get": {"operationId": "session", "summary": "Is this signed in?", "security": [], "responses": {"200": answered, "default": refused()}},
        "post": {
            "operationId": "sign-in",
            "summary": "Sign in with the token, for which a cookie is set",
            "security": [],
            "requestBody": {"required": true, "content": {"application/json": {"schema": body}}},
            "responses": {"200": answered, "default": refused()},
        },
    })
}

fn responses(as_json: Value) -> Value {
    let others = ["application/x-ndjson", "text/csv", "text/markdown", "text/html", "application/vnd.apache.parquet"];
    let mut content: Map<String, Value> = others.iter().map(|kind| ((*kind).to_owned(), json!({}))).collect();
    content.insert("application/json".to_owned(), json!({"schema": as_json}));
    json!({"200": {"description": "The answer", "content": content}, "default": refused()})
}

fn refused() -> Value {
    let schema = json!({"$ref": "#/components/schemas/Error"});
    json!({"description": "Why there is none", "content": {"application/json": {"schema": schema}}})
}

fn error_schema() -> Value {
    let kinds = ["usage", "failed", "not_found", "limit", "forbidden", "unauthorized"];
    let error = json!({
        "type": "object",
        "required": ["message", "kind"],
        "properties": {"message": {"type": "string"}, "kind": {"type": "string", "enum": kinds}},
    });
    json!({"type": "object", "required": ["error"], "properties": {"error": error}})
}
