#![no_main]

ovate_fuzz::entry!(ovate_fuzz::message::Messages);
