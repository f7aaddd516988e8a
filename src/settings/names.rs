//! What the settings are called outside of nyala.toml: as app settings, and in `.deployment`.

/// The keys of nyala.toml that an app setting or `.deployment` sets as well, and the name there.
pub(super) const NAMES: [(&str, &str); 8] = [
    ("command", "COMMAND"),
    ("project", "PROJECT"),
    ("pre_build_command", "PRE_BUILD_COMMAND"),
    ("post_build_command", "POST_BUILD_COMMAND"),
    ("build", "SCM_DO_BUILD_DURING_DEPLOYMENT"),
    ("collectstatic", "DISABLE_COLLECTSTATIC"),
    ("actions", "SCM_POST_DEPLOYMENT_ACTIONS_PATH"),
    ("idle_timeout", "SCM_COMMAND_IDLE_TIMEOUT"),
];

/// What only an app setting or `.deployment` sets.
pub(super) const DISABLE_SUBMODULES: &str = "SCM_DISABLE_SUBMODULES";

/// What only an app setting sets.
pub(super) const BRANCH: &str = "DEPLOYMENT_BRANCH";
pub(super) const PYTHON: &str = "PYTHON_VERSION";
/// The name in Azure's guides.
pub const AZURE_PYTHON: &str = "WEBSITE_PYTHON_VERSION";

/// Oryx's name for the requirements file.
pub(super) const REQUIREMENTS: &str = "CUSTOM_REQUIREMENTSTXT_PATH";
/// `groups` and `extras` of `[dependencies]`.
pub(super) const GROUPS: &str = "DEPENDENCIES_GROUPS";
pub(super) const EXTRAS: &str = "DEPENDENCIES_EXTRAS";

/// The keys of `.deployment` that Kudu's users write by hand.
pub(super) const FILE_KEYS: [&str; 4] =
    ["command", "project", "PRE_BUILD_COMMAND", "POST_BUILD_COMMAND"];
