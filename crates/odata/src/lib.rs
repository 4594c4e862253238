//! OData 4.01 for servers that carry their model as static data.
//!
//! **Invariant:** this crate is pure. It knows no I/O, no SQL, no HTTP server and nothing of Graph or
//! Folkmoot; the same input always gives the same output, so every part of it can be fuzzed alone.
//!
//! A request changes its type each time something more is known about it:
//!
//! | stage | module | what is known |
//! | --- | --- | --- |
//! | text | | nothing |
//! | syntax | [`syntax`] | the grammar holds; every name is still text |
//! | bound | [`bind`] | every name is resolved against an [`edm`] model, every literal has its type |
//! | record | [`decode`] | a JSON body is a typed entity, every member of it known |
#![warn(missing_docs)]

pub mod batch;
pub mod bind;
pub mod csdl;
pub mod decode;
pub mod edm;
pub mod json;
pub mod openapi;
pub mod syntax;
#[doc(hidden)]
pub mod testing;
pub mod value;
