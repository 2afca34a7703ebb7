//! The way to a bucket: its endpoint, and credentials from where people have them.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::{BackoffConfig, ClientConfigKey, ObjectStore, RetryConfig};

use super::address::{Address, Provider};
use super::error::BucketError;
use super::process_credentials::ProcessCredentials;
use super::profile::Profile;

const CONNECT_TIMEOUT: &str = "5s";
/// Of a whole body; how long an answer may take is decided where it is asked for, by how large it may be.
const BODY_TIMEOUT: &str = "1h";

/// Makes the client of a bucket; nothing is asked yet.
pub(crate) fn connect(address: &Address) -> Result<Arc<dyn ObjectStore>, BucketError> {
    match address.provider {
        Provider::S3 => s3(address),
        Provider::Gcs => gcs(address),
        Provider::Azure => azure(address),
    }
}

/// A server that hiccups is asked again within seconds; what lasts longer is waited out above this.
fn retry() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(2),
            base: 2.,
        },
        max_retries: 4,
        retry_timeout: Duration::from_secs(20),
    }
}

fn settings(address: &Address, error: &object_store::Error) -> BucketError {
    BucketError::Settings { address: address.to_string(), why: error.to_string() }
}

fn none(address: &Address, looked: String) -> BucketError {
    BucketError::NoCredentials { address: address.to_string(), looked }
}

fn s3(address: &Address) -> Result<Arc<dyn ObjectStore>, BucketError> {
    use AmazonS3ConfigKey as Key;
    let profile = Profile::of_environment();
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(&address.bucket)
        .with_retry(retry())
        .with_config(Key::Client(ClientConfigKey::ConnectTimeout), CONNECT_TIMEOUT)
        .with_config(Key::Client(ClientConfigKey::Timeout), BODY_TIMEOUT);
    if builder.get_config_value(&Key::DefaultRegion).is_none()
        && builder.get_config_value(&Key::Region).is_none()
        && let Some(region) = profile.get("region")
    {
        builder = builder.with_region(region);
    }
    let endpoint = builder.get_config_value(&Key::S3Endpoint).or_else(|| builder.get_config_value(&Key::Endpoint));
    let endpoint = match (endpoint, profile.get("endpoint_url")) {
        (None, Some(endpoint)) => {
            builder = builder.with_endpoint(endpoint);
            Some(endpoint.to_owned())
        }
        (endpoint, _) => endpoint,
    };
    // Whoever names such an endpoint means it.
    if endpoint.is_some_and(|endpoint| endpoint.starts_with("http://")) {
        builder = builder.with_allow_http(true);
    }
    let builder = with_credentials(builder, &profile, address)?;
    Ok(Arc::new(builder.build().map_err(|error| settings(address, &error))?))
}

/// In the order of Amazon's own tools: environment, profile, web identity, container, machine.
fn with_credentials(
    builder: AmazonS3Builder,
    profile: &Profile,
    address: &Address,
) -> Result<AmazonS3Builder, BucketError> {
    use AmazonS3ConfigKey as Key;
    let is_set = |key: Key| builder.get_config_value(&key).is_some_and(|value| !value.is_empty());
    let is_true = |key: Key| builder.get_config_value(&key).is_some_and(|value| value == "true");
    if is_true(Key::SkipSignature) || is_set(Key::AccessKeyId) || is_set(Key::SecretAccessKey) {
        return Ok(builder);
    }
    if let (Some(id), Some(secret)) = (profile.get("aws_access_key_id"), profile.get("aws_secret_access_key")) {
        let builder = builder.with_access_key_id(id).with_secret_access_key(secret);
        return Ok(match profile.get("aws_session_token") {
            Some(token) => builder.with_token(token),
            None => builder,
        });
    }
    if let Some(command) = profile.get("credential_process") {
        let process = ProcessCredentials::new(command, &profile.name);
        return Ok(builder.with_credentials(Arc::new(process)));
    }
    if let (Some(role), Some(file)) = (profile.get("role_arn"), profile.get("web_identity_token_file")) {
        return Ok(builder.with_config(Key::RoleArn, role).with_config(Key::WebIdentityTokenFile, file));
    }
    let is_from_environment = is_set(Key::WebIdentityTokenFile) && is_set(Key::RoleArn)
        || is_set(Key::ContainerCredentialsRelativeUri)
        || is_set(Key::ContainerCredentialsFullUri)
        || is_set(Key::MetadataEndpoint);
    if is_from_environment || is_machine_of("Amazon EC2") {
        return Ok(builder);
    }
    let export = format!("run `eval \"$(aws configure export-credentials --profile {} --format env)\"`", profile.name);
    Err(none(
        address,
        if ["sso_session", "sso_start_url", "role_arn", "source_profile"].iter().any(|key| profile.get(key).is_some()) {
            format!("the profile {} signs in or takes a role, which only Amazon's tools do: {export}", profile.name)
        } else {
            format!(
                "neither AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, nor the profile {} in ~/.aws/credentials or \
                 ~/.aws/config, nor a web identity, nor a container's or an instance's role is there; set one of \
                 them, or AWS_SKIP_SIGNATURE=true for a bucket that everybody may read",
                profile.name
            )
        },
    ))
}

fn gcs(address: &Address) -> Result<Arc<dyn ObjectStore>, BucketError> {
    use GoogleConfigKey as Key;
    let builder = GoogleCloudStorageBuilder::from_env()
        .with_bucket_name(&address.bucket)
        .with_retry(retry())
        .with_config(Key::Client(ClientConfigKey::ConnectTimeout), CONNECT_TIMEOUT)
        .with_config(Key::Client(ClientConfigKey::Timeout), BODY_TIMEOUT);
    let is_set = |key: Key| builder.get_config_value(&key).is_some_and(|value| !value.is_empty() && value != "false");
    let has_file = std::env::var_os("HOME").is_some_and(|home| {
        std::path::Path::new(&home).join(".config/gcloud/application_default_credentials.json").is_file()
    });
    let is_known = has_file
        || [Key::ServiceAccount, Key::ServiceAccountKey, Key::ApplicationCredentials, Key::SkipSignature]
            .into_iter()
            .any(is_set);
    if !is_known && !is_machine_of("Google") {
        return Err(none(
            address,
            "neither GOOGLE_APPLICATION_CREDENTIALS, nor GOOGLE_SERVICE_ACCOUNT, nor \
             ~/.config/gcloud/application_default_credentials.json is there, and this is no machine of Google; set one \
             of them, or run `gcloud auth application-default login`"
                .to_owned(),
        ));
    }
    Ok(Arc::new(builder.build().map_err(|error| settings(address, &error))?))
}

fn azure(address: &Address) -> Result<Arc<dyn ObjectStore>, BucketError> {
    use AzureConfigKey as Key;
    let mut builder = MicrosoftAzureBuilder::from_env()
        .with_container_name(&address.bucket)
        .with_retry(retry())
        .with_config(Key::Client(ClientConfigKey::ConnectTimeout), CONNECT_TIMEOUT)
        .with_config(Key::Client(ClientConfigKey::Timeout), BODY_TIMEOUT);
    if builder.get_config_value(&Key::Endpoint).is_some_and(|endpoint| endpoint.starts_with("http://")) {
        builder = builder.with_allow_http(true);
    }
    let is_set = |key: Key| builder.get_config_value(&key).is_some_and(|value| !value.is_empty() && value != "false");
    let known = [
        Key::AccessKey,
        Key::SasKey,
        Key::Token,
        Key::ClientSecret,
        Key::FederatedTokenFile,
        Key::UseAzureCli,
        Key::UseEmulator,
        Key::SkipSignature,
        Key::MsiEndpoint,
    ];
    if !known.into_iter().any(is_set) && !is_machine_of("Microsoft Corporation") {
        return Err(none(
            address,
            "neither AZURE_STORAGE_ACCOUNT_KEY, nor AZURE_STORAGE_SAS_KEY, nor AZURE_CLIENT_ID with \
             AZURE_CLIENT_SECRET or AZURE_FEDERATED_TOKEN_FILE is set, and this is no machine of Azure; set one of \
             them beside AZURE_STORAGE_ACCOUNT_NAME, or AZURE_USE_AZURE_CLI=true after `az login`"
                .to_owned(),
        ));
    }
    Ok(Arc::new(builder.build().map_err(|error| settings(address, &error))?))
}

/// Is this a machine of that maker, whose metadata service may be asked? Anywhere else that question hangs.
fn is_machine_of(maker: &str) -> bool {
    let vendor = fs::read_to_string("/sys/class/dmi/id/sys_vendor").unwrap_or_default();
    vendor.trim() == maker
}
