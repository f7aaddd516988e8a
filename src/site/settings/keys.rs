//! The names of a struct's fields as serde knows them, so that nobody has to keep a list of them.

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::forward_to_deserialize_any;

/// The keys that a struct is read from, in the order of its fields.
pub fn keys<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
    let mut keys: &[&str] = &[];
    // The deserializer always fails, once it has been told the fields.
    let _ = T::deserialize(Fields(&mut keys));
    keys
}

struct Fields<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Fields<'_> {
    type Error = serde::de::value::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = fields;
        Err(Error::custom("only the fields are asked for"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(Error::custom("not a struct"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Settings, Webhook};
    use super::*;

    #[test]
    fn the_fields_of_a_struct_are_its_keys() {
        assert_eq!(keys::<Webhook>(), ["url", "on", "secret", "timeout", "tries"]);
        assert_eq!(keys::<Settings>().first(), Some(&"repository"));
        assert!(!keys::<Settings>().contains(&"set"));
        assert_eq!(keys::<String>(), [""; 0]);
    }
}
