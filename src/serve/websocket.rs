//! A connection that has become a websocket: bytes both ways, until one end closes it.

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::task::spawn_local;

use super::backend::InFlight;

/// A closing frame that says that the server goes away: RFC 6455, sections 5.5.1 and 7.4.1.
const GOING_AWAY: [u8; 4] = [0x88, 0x02, 0x03, 0xe9];

/// Relays between a visitor and the application, whose request stays in flight for as long.
pub(super) fn relay(visitor: OnUpgrade, application: OnUpgrade, in_flight: InFlight) {
    spawn_local(async move {
        let (Ok(visitor), Ok(application)) = (visitor.await, application.await) else { return };
        let (mut visitor, mut application) = (TokioIo::new(visitor), TokioIo::new(application));
        let hang_up = in_flight.backend().hang_up();
        let is_leaving = tokio::select! {
            ended = copy_bidirectional(&mut visitor, &mut application) => {
                tracing::debug!("a websocket ended: {ended:?}");
                false
            }
            () = hang_up => true,
        };
        if is_leaving {
            // Between two frames or in the middle of one: there, the visitor's end sees a
            // connection that broke off.
            let _ = visitor.write_all(&GOING_AWAY).await;
            let _ = visitor.shutdown().await;
        }
        drop(in_flight);
    });
}
