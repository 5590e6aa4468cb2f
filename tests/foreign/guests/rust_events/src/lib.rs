//! Handlers of cron and MQTT triggers on wit-bindgen alone, for the functions of WASI 0.3.

wit_bindgen::generate!({
    inline: r#"
        package test:events;
        world events {
            use spin:cron/cron-types@3.0.0.{metadata as moment, error as cron-error};
            use spin:mqtt-trigger/spin-mqtt-types@3.0.0.{payload, metadata, error};
            export handle-cron-event: async func(metadata: moment) -> result<_, cron-error>;
            export handle-message:
                async func(message: payload, metadata: metadata) -> result<_, error>;
        }
    "#,
    path: "wit",
    generate_all,
    async: true,
});

struct Events;
export!(Events);

impl Guest for Events {
    async fn handle_cron_event(metadata: Moment) -> Result<(), CronError> {
        println!("at {}", metadata.timestamp);
        match metadata.timestamp {
            0 => Err(CronError::Other("no such moment".into())),
            _ => Ok(()),
        }
    }

    async fn handle_message(message: Payload, metadata: Metadata) -> Result<(), Error> {
        println!("{} on {}", String::from_utf8_lossy(&message), metadata.topic);
        Ok(())
    }
}
