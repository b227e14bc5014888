//! The registry of layer kinds.

use super::LayerConfig;

/// A registered layer kind.
pub struct LayerKind {
    /// The value of `kind` in a config file.
    pub name: &'static str,
    /// What it computes, in one line.
    pub summary: &'static str,
    /// Small instances for the tests, covering the options of the kind.
    pub examples: fn() -> Vec<LayerConfig>,
}

/// Makes the kinds known that are listed as `"name" => module::Kind`: the record of a layer of any kind, and the list of all.
macro_rules! layer_kinds {
    ($($name:literal => $module:ident::$kind:ident),* $(,)?) => {
        $(pub use $module::$kind;)*

        /// The config record of a layer of any kind; in a file, `kind = "..."` and the fields of that kind.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind")]
        pub enum LayerConfig {
            $(
                #[doc = concat!("`kind = \"", $name, "\"`")]
                #[serde(rename = $name)]
                $kind($kind),
            )*
        }

        impl LayerConfig {
            /// The value of `kind`.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$kind(_) => $name,)* }
            }

            /// The layer behind the record.
            pub fn layer(&self) -> &dyn Layer {
                match self { $(Self::$kind(layer) => layer,)* }
            }

            /// The layer behind the record, to be changed.
            pub fn layer_mut(&mut self) -> &mut dyn Layer {
                match self { $(Self::$kind(layer) => layer,)* }
            }
        }

        /// Every layer kind.
        pub const LAYER_KINDS: &[LayerKind] = &[
            $(LayerKind {
                name: $name,
                summary: $kind::SUMMARY,
                examples: || $kind::examples().into_iter().map(LayerConfig::$kind).collect(),
            },)*
        ];
    };
}
