//! The members of an object.

use super::{Text, Value};

/// The members of an object, in their order.
#[derive(Clone, Debug, Default)]
pub struct Map {
    members: Vec<(Text, Value)>,
}

/// Two are alike if they have the same members, in whichever order.
impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self.members.iter().enumerate().all(|(at, (name, value))| {
                let same = other.members.get(at).filter(|(other, _)| other == name);
                same.map(|(_, other)| other).or_else(|| other.get(name)) == Some(value)
            })
    }
}

impl Map {
    /// None.
    pub const fn new() -> Self {
        Self {
            members: Vec::new(),
        }
    }

    /// These, of which each has another name.
    pub const fn of(members: Vec<(Text, Value)>) -> Self {
        Self { members }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.members.iter().position(|(one, _)| one == name)
    }

    /// Whether there is one of this name.
    pub fn contains_key(&self, name: &str) -> bool {
        self.place(name).is_some()
    }

    /// The one of this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.place(name).map(|at| &self.members[at].1)
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.place(name).map(|at| &mut self.members[at].1)
    }

    /// Sets a member: in the place of the one of this name, which it gives, or behind all.
    pub fn insert(&mut self, name: Text, value: Value) -> Option<Value> {
        if let Some(old) = self.get_mut(&name) {
            return Some(core::mem::replace(old, value));
        }
        self.members.push((name, value));
        None
    }

    /// Sets a member before all others; one of this name is gone then.
    pub fn insert_first(&mut self, name: Text, value: Value) {
        self.shift_remove(&name);
        self.members.insert(0, (name, value));
    }

    /// The place of a name, to fill it if nothing is there.
    pub fn entry(&mut self, name: impl Into<Text>) -> Entry<'_> {
        let name = name.into();
        let place = self.place(&name);
        Entry {
            map: self,
            name,
            place,
        }
    }

    /// Takes a member out; the last takes its place.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        self.place(name).map(|at| self.members.swap_remove(at).1)
    }

    /// Takes a member out; those behind it move up.
    pub fn shift_remove(&mut self, name: &str) -> Option<Value> {
        self.place(name).map(|at| self.members.remove(at).1)
    }

    /// Drops what this is not true of.
    pub fn retain(&mut self, mut is_kept: impl FnMut(&Text, &mut Value) -> bool) {
        self.members
            .retain_mut(|(name, value)| is_kept(name, value));
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Text, &Value)> + Clone {
        self.members.iter().map(|(name, value)| (name, value))
    }

    /// The same, to change the values.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&Text, &mut Value)> {
        self.members.iter_mut().map(|(name, value)| (&*name, value))
    }

    /// The names, in order.
    pub fn keys(&self) -> impl Iterator<Item = &Text> {
        self.members.iter().map(|(name, _)| name)
    }

    /// Gives back what was kept free for more, here and below.
    pub fn shrink(&mut self) {
        self.members.shrink_to_fit();
        for (_, value) in &mut self.members {
            value.shrink();
        }
    }
}

impl IntoIterator for Map {
    type Item = (Text, Value);
    type IntoIter = std::vec::IntoIter<(Text, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.members.into_iter()
    }
}

impl<'m> IntoIterator for &'m Map {
    type Item = (&'m Text, &'m Value);
    type IntoIter = core::iter::Map<
        core::slice::Iter<'m, (Text, Value)>,
        fn(&'m (Text, Value)) -> (&'m Text, &'m Value),
    >;

    fn into_iter(self) -> Self::IntoIter {
        self.members.iter().map(|(name, value)| (name, value))
    }
}

impl Extend<(Text, Value)> for Map {
    fn extend<I: IntoIterator<Item = (Text, Value)>>(&mut self, more: I) {
        for (name, value) in more {
            self.insert(name, value);
        }
    }
}

/// The place of a name in an object.
#[derive(Debug)]
pub struct Entry<'m> {
    map: &'m mut Map,
    name: Text,
    place: Option<usize>,
}

impl<'m> Entry<'m> {
    /// What stands there, or this.
    pub fn or_insert(self, value: Value) -> &'m mut Value {
        self.or_insert_with(|| value)
    }

    /// What stands there, or what this gives.
    pub fn or_insert_with(self, value: impl FnOnce() -> Value) -> &'m mut Value {
        let at = self.place.unwrap_or_else(|| {
            self.map.members.push((self.name, value()));
            self.map.members.len() - 1
        });
        &mut self.map.members[at].1
    }
}
