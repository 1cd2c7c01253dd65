//! The fleet: starts, watches, restarts, drains and stops the local processes of services.
