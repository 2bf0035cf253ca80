//! The SAM template as JSON, CloudFormation's short tags written out: `!Ref X` is `{"Ref": "X"}`,
//! `!GetAtt A.B` is `{"Fn::GetAtt": ["A", "B"]}`, every other `!Name` is `{"Fn::Name": …}`.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use clap::ValueEnum as _;
use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::{Map, Value, json};

use crate::architecture::Architecture;

/// The beginning of the line of template.yaml that chooses the processor.
const ARCHITECTURES: &str = "    Architectures: [";

/// A function of the template and the binary that it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name within the template.
    pub logical_id: String,
    /// Its package and binary, from `Metadata.BuildProperties.Binary`.
    pub binary: String,
}

/// Reads a template file. Fails if it is not one YAML document of mappings with text keys.
pub fn load(path: &Path) -> Result<Value> {
    let name = path.file_name().unwrap_or_default().display();
    let text = std::fs::read_to_string(path).with_context(|| format!("{name}: cannot be read"))?;
    parse(&text).with_context(|| format!("{name}: not a template"))
}

/// The same for a text.
pub fn parse(text: &str) -> Result<Value> {
    let documents = Yaml::load_from_str(text).context("expected YAML")?;
    match documents.as_slice() {
        [document] => written_out(document),
        others => bail!("expected one YAML document, found {}", others.len()),
    }
}

/// Every `AWS::Serverless::Function` of a template. Fails if one does not name its binary.
pub fn functions(template: &Value) -> Result<Vec<Function>> {
    let resources = template["Resources"].as_object().context("Resources: expected a mapping")?;
    let serverless =
        resources.iter().filter(|(_, resource)| resource["Type"] == "AWS::Serverless::Function");
    serverless
        .map(|(logical_id, resource)| {
            let binary =
                resource["Metadata"]["BuildProperties"]["Binary"].as_str().with_context(|| {
                    format!("{logical_id}: expected Metadata.BuildProperties.Binary, the package")
                })?;
            Ok(Function { logical_id: logical_id.clone(), binary: binary.to_owned() })
        })
        .collect()
}

/// Whether an event source mapping calls the function.
#[must_use]
pub fn takes_messages(template: &Value, function: &Function) -> bool {
    let own = json!({ "Ref": function.logical_id });
    let resources = template["Resources"].as_object().into_iter().flatten();
    let mut mappings =
        resources.filter(|(_, resource)| resource["Type"] == "AWS::Lambda::EventSourceMapping");
    mappings.any(|(_, mapping)| {
        let called = &mapping["Properties"]["FunctionName"];
        // Either the function, or its published version under a condition.
        *called == own || called["Fn::If"].as_array().is_some_and(|choice| choice.contains(&own))
    })
}

/// Fails unless the template has a parameter of each of these names.
pub fn expect_parameters<'a>(
    template: &Value,
    names: impl IntoIterator<Item = &'a String>,
) -> Result<()> {
    let known = template["Parameters"].as_object();
    for name in names {
        ensure!(
            known.is_some_and(|known| known.contains_key(name)),
            "the template has no parameter {name}; it has {}",
            known.into_iter().flat_map(Map::keys).cloned().collect::<Vec<_>>().join(", ")
        );
    }
    Ok(())
}

/// Points a function to an uploaded package instead of its sources.
pub fn place_code(template: &mut Value, function: &Function, address: &str) {
    let resource = &mut template["Resources"][&function.logical_id];
    resource["Properties"]["CodeUri"] = address.into();
    if let Some(resource) = resource.as_object_mut() {
        resource.remove("Metadata");
    }
}

/// Sets the processor of every function.
pub fn set_architecture(template: &mut Value, architecture: Architecture) {
    template["Globals"]["Function"]["Architectures"] = json!([architecture.name()]);
}

/// A template's text with another processor. Everything else stays as it was written.
pub fn with_architecture(text: &str, architecture: Architecture) -> Result<String> {
    let parts: Vec<&str> = text.split(ARCHITECTURES).collect();
    let [before, after] = parts[..] else {
        bail!("expected one line that begins with {ARCHITECTURES:?}");
    };
    let (_, rest) = after.split_once(']').context("expected a ] after it")?;
    Ok(format!("{before}{ARCHITECTURES}{architecture}]{rest}"))
}

/// The processor that a template names for all functions.
pub fn architecture(template: &Value) -> Result<Architecture> {
    let named = template["Globals"]["Function"]["Architectures"][0].as_str().unwrap_or_default();
    Architecture::from_str(named, false).map_err(|_| {
        anyhow!("Globals.Function.Architectures: {named:?}, expected [arm64] or [x86_64]")
    })
}

/// Adds an environment variable to a function. Fails if the template has it already.
pub fn add_variable(
    template: &mut Value,
    function: &Function,
    name: &str,
    value: &str,
) -> Result<()> {
    let resource = &mut template["Resources"][&function.logical_id];
    let variables = &mut resource["Properties"]["Environment"]["Variables"];
    ensure!(
        variables.get(name).is_none(),
        "{}: expected no variable {name} in the template",
        function.logical_id
    );
    variables[name] = value.into();
    Ok(())
}

/// Removes every resource of a type. Nothing may refer to one.
pub fn remove(template: &mut Value, kind: &str) {
    if let Some(resources) = template["Resources"].as_object_mut() {
        resources.retain(|_, resource| resource["Type"] != kind);
    }
}

/// Adds an action to every statement that allows another one.
pub fn allow_beside(template: &mut Value, action: &str, another: &str) {
    for statements in policies(template) {
        for statement in statements {
            if let Some(actions) = statement["Action"].as_array_mut()
                && actions.iter().any(|allowed| allowed == action)
            {
                actions.push(another.into());
            }
        }
    }
}

/// Lets every role that may send statements of `PartiQL` to `DynamoDB` send batches of them. AWS asks for an
/// action of each statement, such as `dynamodb:PartiQLUpdate`; MiniStack asks for one of the batch, which AWS
/// does not have, on every resource.
pub fn allow_batches_of_statements(template: &mut Value) {
    let partiql =
        |action: &Value| action.as_str().is_some_and(|name| name.starts_with("dynamodb:PartiQL"));
    for statements in policies(template) {
        let mut actions = statements.iter().filter_map(|statement| statement["Action"].as_array());
        if actions.any(|actions| actions.iter().any(partiql)) {
            let action = "dynamodb:BatchExecuteStatement";
            statements.push(json!({ "Effect": "Allow", "Action": action, "Resource": "*" }));
        }
    }
}

/// The statements of each policy of a role, inline or managed.
fn policies(template: &mut Value) -> impl Iterator<Item = &mut Vec<Value>> {
    let resources = template["Resources"].as_object_mut().into_iter().flatten();
    let documents = resources.flat_map(|(_, resource)| {
        let kind = resource["Type"].as_str().unwrap_or_default().to_owned();
        let properties = &mut resource["Properties"];
        let policies: Vec<&mut Value> = match kind.as_str() {
            "AWS::IAM::ManagedPolicy" => vec![properties],
            "AWS::IAM::Role" => {
                let inline = properties.get_mut("Policies").and_then(Value::as_array_mut);
                inline.into_iter().flatten().collect()
            }
            _ => Vec::new(),
        };
        policies
    });
    documents.filter_map(|policy| policy["PolicyDocument"]["Statement"].as_array_mut())
}

fn written_out(node: &Yaml<'_>) -> Result<Value> {
    Ok(match node {
        Yaml::Value(scalar) => plain(scalar),
        Yaml::Sequence(items) => items.iter().map(written_out).collect::<Result<_>>()?,
        Yaml::Mapping(entries) => entries
            .iter()
            .map(|(key, value)| {
                let key = key.as_str().context("expected text as the key of a mapping")?;
                Ok((key.to_owned(), written_out(value).with_context(|| key.to_owned())?))
            })
            .collect::<Result<Map<_, _>>>()?
            .into(),
        Yaml::Tagged(tag, inner) => intrinsic(&tag.suffix, written_out(inner)?),
        // CloudFormation does not support anchors.
        other => bail!("expected a scalar, a sequence or a mapping, found {other:?}"),
    })
}

fn plain(scalar: &Scalar<'_>) -> Value {
    match scalar {
        Scalar::Null => Value::Null,
        Scalar::Boolean(value) => (*value).into(),
        Scalar::Integer(value) => (*value).into(),
        Scalar::FloatingPoint(value) => value.into_inner().into(),
        Scalar::String(value) => value.as_ref().into(),
    }
}

fn intrinsic(tag: &str, argument: Value) -> Value {
    match (tag, argument) {
        ("Ref" | "Condition", argument) => json!({ tag: argument }),
        ("GetAtt", Value::String(path)) => {
            let parts: Vec<&str> = path.splitn(2, '.').collect();
            json!({ "Fn::GetAtt": parts })
        }
        (name, argument) => json!({ format!("Fn::{name}"): argument }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        Function, add_variable, allow_batches_of_statements, allow_beside, architecture,
        expect_parameters, functions, parse, place_code, remove, takes_messages, with_architecture,
    };
    use crate::architecture::Architecture;

    const TEMPLATE: &str = r#"
Resources:
  Shortener:
    Type: AWS::Serverless::Function
    Metadata: { BuildMethod: rust-cargolambda, BuildProperties: { Binary: shortener } }
    Properties: { CodeUri: functions/shortener, Timeout: 15 }
  Queue:
    Type: AWS::SQS::Queue
    Properties: { QueueName: !Sub "${AWS::StackName}-q", FifoQueue: false }
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties: { FunctionName: !If [Gradual, !Ref Shortener.Alias, !Ref Shortener] }
Outputs:
  Arn: { Value: !GetAtt Queue.Arn }
  Url: { Value: !Ref Queue }
  Both: { Value: !Join ["-", [!Ref Queue, "2010-09-09"]] }
"#;

    #[test]
    fn short_tags_are_written_out() {
        let template = parse(TEMPLATE).expect("a template");
        let queue = &template["Resources"]["Queue"]["Properties"];
        assert_eq!(queue["QueueName"], json!({ "Fn::Sub": "${AWS::StackName}-q" }));
        assert_eq!(queue["FifoQueue"], false);
        let outputs = &template["Outputs"];
        assert_eq!(outputs["Arn"]["Value"], json!({ "Fn::GetAtt": ["Queue", "Arn"] }));
        assert_eq!(outputs["Url"]["Value"], json!({ "Ref": "Queue" }));
        let joined = json!({ "Fn::Join": ["-", [{ "Ref": "Queue" }, "2010-09-09"]] });
        assert_eq!(outputs["Both"]["Value"], joined);
    }

    #[test]
    fn who_may_do_one_action_may_do_another_beside_it() {
        let statements = |actions: &str| {
            let role = format!(
                "Resources: {{ Role: {{ Type: AWS::IAM::Role, Properties: {{ Policies: [{{ PolicyDocument: \
                 {{ Statement: [{{ Action: [{actions}], Resource: table }}] }} }}] }} }} }}"
            );
            let mut template = parse(&role).expect("a template");
            allow_beside(&mut template, "sqs:SendMessage", "sqs:SendMessageBatch");
            allow_batches_of_statements(&mut template);
            let role = &template["Resources"]["Role"]["Properties"];
            role["Policies"][0]["PolicyDocument"]["Statement"].clone()
        };
        let only = json!([{ "Action": ["dynamodb:GetItem"], "Resource": "table" }]);
        assert_eq!(statements("'dynamodb:GetItem'"), only);
        let sends = statements("'sqs:SendMessage'");
        let both = json!(["sqs:SendMessage", "sqs:SendMessageBatch"]);
        assert_eq!(sends, json!([{ "Action": both, "Resource": "table" }]));
        let writes = statements("'dynamodb:PartiQLInsert'");
        assert_eq!(writes[1]["Action"], "dynamodb:BatchExecuteStatement");
        assert_eq!(writes[1]["Resource"], "*");
    }

    #[test]
    fn a_mapping_tells_that_a_function_takes_messages() {
        let template = parse(TEMPLATE).expect("a template");
        let function = |logical_id: &str| Function {
            logical_id: logical_id.to_owned(),
            binary: String::new(),
        };
        assert!(takes_messages(&template, &function("Shortener")));
        assert!(!takes_messages(&template, &function("Sweeper")));
    }

    #[test]
    fn resources_of_a_type_can_be_left_out() {
        let mut template = parse(TEMPLATE).expect("a template");
        remove(&mut template, "AWS::SQS::Queue");
        let left: Vec<&String> =
            template["Resources"].as_object().expect("a mapping").keys().collect();
        assert_eq!(left, ["Mapping", "Shortener"]);
    }

    #[test]
    fn a_function_is_found_and_given_its_package() {
        let mut template = parse(TEMPLATE).expect("a template");
        let found = functions(&template).expect("a binary");
        let expected = Function { logical_id: "Shortener".into(), binary: "shortener".into() };
        assert_eq!(found, [expected]);
        place_code(&mut template, &found[0], "s3://bucket/key");
        let function = &template["Resources"]["Shortener"];
        assert_eq!(function["Properties"], json!({ "CodeUri": "s3://bucket/key", "Timeout": 15 }));
        assert_eq!(function.get("Metadata"), None);
    }

    #[test]
    fn a_variable_is_added_to_those_of_the_template_and_never_over_one() {
        let mut template = parse(TEMPLATE).expect("a template");
        let function = functions(&template).expect("a binary").remove(0);
        add_variable(&mut template, &function, "A", "1").expect("a first one");
        add_variable(&mut template, &function, "B", "2").expect("another one");
        let properties = &template["Resources"]["Shortener"]["Properties"];
        assert_eq!(properties["Environment"]["Variables"], json!({ "A": "1", "B": "2" }));
        assert_eq!(properties["Timeout"], 15, "nothing else has changed");
        let error = add_variable(&mut template, &function, "A", "3").expect_err("it is there");
        assert_eq!(error.to_string(), "Shortener: expected no variable A in the template");
        let properties = &template["Resources"]["Shortener"]["Properties"];
        assert_eq!(properties["Environment"]["Variables"]["A"], "1");
    }

    #[test]
    fn an_unknown_parameter_is_refused_with_the_known_ones() {
        let template = json!({ "Parameters": { "Rate": {}, "Domain": {} } });
        let expected = |name: &str| expect_parameters(&template, [&name.to_owned()]);
        assert!(expected("Rate").is_ok());
        let error = expected("Nope").expect_err("there is none").to_string();
        assert!(error.starts_with("the template has no parameter Nope; it has "), "{error}");
        assert!(error.contains("Rate") && error.contains("Domain"), "{error}");
    }

    #[test]
    fn the_processor_is_chosen_whichever_it_was() {
        for was in ["arm64", "x86_64"] {
            let text = format!("a:\n    Architectures: [{was}]\n    b: [c]\n");
            let changed = with_architecture(&text, Architecture::X86_64).expect("one line");
            assert_eq!(changed, "a:\n    Architectures: [x86_64]\n    b: [c]\n");
        }
        assert!(with_architecture("a: [arm64]\n", Architecture::Arm64).is_err());
    }

    #[test]
    fn the_processor_is_read_and_an_unknown_one_refused() {
        let of = |name: &str| json!({ "Globals": { "Function": { "Architectures": [name] } } });
        assert_eq!(architecture(&of("x86_64")).expect("one"), Architecture::X86_64);
        let error = architecture(&of("riscv")).expect_err("Lambda has none").to_string();
        assert!(error.contains("\"riscv\", expected [arm64] or [x86_64]"), "{error}");
    }

    #[test]
    fn an_error_says_where() {
        let wrong = format!("{:#}", parse("a:\n  b: &x 1\n  1: c").expect_err("a number as key"));
        assert_eq!(wrong, "a: expected text as the key of a mapping");
        assert!(
            functions(&json!({ "Resources": { "F": { "Type": "AWS::Serverless::Function" }}}))
                .expect_err("no binary")
                .to_string()
                .starts_with("F: expected Metadata.BuildProperties.Binary")
        );
    }
}
