//! The car models that a stock is generated from.

/// A car model.
pub(super) struct Model {
    pub(super) make: &'static str,
    pub(super) name: &'static str,
    /// The first three characters of its VINs, which identify the manufacturer.
    pub(super) maker: &'static str,
    /// From the cheapest to the most expensive.
    pub(super) trims: [&'static str; 3],
    pub(super) body_style: &'static str,
    pub(super) fuel_type: &'static str,
    pub(super) engine: &'static str,
    pub(super) drive_line: &'static str,
    /// The price of a new car of the cheapest trim, in dollars.
    pub(super) msrp: u32,
}

/// All models, with various fuel types and body styles.
pub(super) const MODELS: [Model; 6] = [
    Model {
        make: "Ford",
        name: "F-150",
        maker: "1FT",
        trims: ["XL", "XLT", "Lariat"],
        body_style: "Truck",
        fuel_type: "Gasoline",
        engine: "2.7L V6",
        drive_line: "4WD",
        msrp: 38_810,
    },
    Model {
        make: "Toyota",
        name: "RAV4",
        maker: "JTM",
        trims: ["LE", "XLE Premium", "Limited"],
        body_style: "SUV",
        fuel_type: "Hybrid",
        engine: "2.5L I4",
        drive_line: "AWD",
        msrp: 29_250,
    },
    Model {
        make: "Honda",
        name: "Civic",
        maker: "2HG",
        trims: ["LX", "Sport", "Sport Touring"],
        body_style: "Sedan",
        fuel_type: "Gasoline",
        engine: "2.0L I4",
        drive_line: "FWD",
        msrp: 24_250,
    },
    Model {
        make: "Chrysler",
        // An ampersand, which HTML writes as an entity and JSON does not.
        name: "Town & Country",
        maker: "2C4",
        trims: ["Touring", "Touring-L", "Limited Platinum"],
        body_style: "Minivan",
        fuel_type: "Flex Fuel",
        engine: "3.6L V6",
        drive_line: "FWD",
        msrp: 30_990,
    },
    Model {
        make: "Hyundai",
        name: "Ioniq 5",
        maker: "KM8",
        trims: ["SE", "SEL", "Limited"],
        body_style: "SUV",
        fuel_type: "Electric",
        engine: "Dual Motor",
        drive_line: "AWD",
        msrp: 42_500,
    },
    Model {
        make: "Subaru",
        name: "Outback",
        maker: "4S4",
        trims: ["Base", "Premium", "Touring XT"],
        body_style: "Wagon",
        fuel_type: "Gasoline",
        engine: "2.5L H4",
        drive_line: "AWD",
        msrp: 28_895,
    },
];

pub(super) const EXTERIOR_COLORS: [&str; 5] =
    ["Oxford White", "Agate Black", "Carbonized Gray", "Rapid Red", "Deep Blue Pearl"];

pub(super) const INTERIOR_COLORS: [&str; 3] = ["Black Onyx", "Medium Light Slate", "Dark Brown"];

/// Manufacturers' codes of installed options.
pub(super) const OPTION_CODES: [&str; 5] = ["50A", "17F", "X7R", "G80", "TECH2"];
