//! The binary `ovate`: settings in, a running store out. Everything that happens is in the libraries; here it is
//! put together.

mod ask;
mod care;
mod cli;
mod demo;
mod folder;
mod limits;
mod server;
mod settings;
mod system;

use std::io::{IsTerminal, Read};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{CommandFactory, Parser};

use cli::{Cli, Command};
use server::Server;
use settings::Settings;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ovate: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    #[cfg(debug_assertions)]
    if let Ok(place) = std::env::var("OVATE_FAIL_POINT") {
        ovate_storage::fail_point::arm(&place)?;
    }
    let unknown = settings::unknown_variables(&Cli::command(), std::env::vars_os())?;
    match cli.command {
        Command::Serve(serve) => {
            let settings = serve.settings.with_file(serve.config.as_deref())?;
            start_log(&settings, "info")?;
            for variable in unknown {
                tracing::warn!(variable, "no setting has this variable");
            }
            let data = settings.data.clone().context("say where the data is: --data DIR")?;
            runtime()?.block_on(async {
                let server = Server::start(&settings, &data).await?;
                server.run_until_signal().await
            })
        }
        Command::Demo(options) => {
            start_log(&options.settings, "warn")?;
            runtime()?.block_on(demo::run(options))
        }
        Command::Query(query) => ask::run(&query),
        Command::Segments(folder) => folder::list_segments(&folder.data),
        Command::Verify(folder) => folder::verify(&folder.data),
        #[cfg(debug_assertions)]
        Command::FailPoints => {
            for name in ovate_storage::fail_point::NAMES {
                println!("{name}");
            }
            Ok(())
        }
        Command::Backup(backup) => match (&backup.url, &backup.name, &backup.data, &backup.to) {
            (Some(url), Some(name), ..) => folder::backup_running(url, name),
            (_, _, Some(data), Some(to)) => folder::backup(data, to),
            _ => bail!("say what to copy: --data DIR --to DIR, or --url URL --name NAME"),
        },
        Command::Export(export) => {
            folder::export(&export.folder.data, export.datasource.as_deref(), &export.to)
        }
        Command::Restore(restore) => folder::restore(&restore.from, &restore.data),
        Command::Compact(compact) => folder::compact(&compact.folder.data, compact.cold_after),
        Command::HashPassword => {
            let mut password = String::new();
            std::io::stdin().read_to_string(&mut password).context("cannot read the password")?;
            println!("{}", ovate_api::hash_password(password.trim_end_matches(['\r', '\n']))?);
            Ok(())
        }
    }
}

/// The runtime of HTTP and of everything that waits. Queries run on one of their own.
fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")
}

fn start_log(settings: &Settings, default: &str) -> Result<()> {
    let filter = settings.log.as_deref().unwrap_or(default);
    let filter = tracing_subscriber::EnvFilter::try_new(filter).context("cannot read the log filter")?;
    // A log that cannot be written, on a full disk above all, must not end the process: reporting that would panic.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    if settings.log_json == Some(true) {
        builder.json().init();
    } else {
        builder.init();
    }
    Ok(())
}
