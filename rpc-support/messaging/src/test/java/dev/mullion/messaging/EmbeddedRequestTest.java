package dev.mullion.messaging;

import static dev.mullion.messaging.EmbeddedFixture.ACKNOWLEDGE;
import static dev.mullion.messaging.EmbeddedFixture.GIVE_BACK;
import static dev.mullion.messaging.EmbeddedFixture.await;
import static dev.mullion.messaging.EmbeddedFixture.message;
import static dev.mullion.messaging.EmbeddedFixture.settle;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Settlement;
import dev.mullion.messaging.engine.Source;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class EmbeddedRequestTest {
  private static final Route.Subject SUBJECT = new Route.Subject("adder");
  private static final Duration TIMEOUT = Duration.ofSeconds(5);

  private final EmbeddedFixture embedded = new EmbeddedFixture();
  private final RecordingSink sink = new RecordingSink();

  @AfterEach
  void close() {
    embedded.close();
  }

  private void request(long id) throws Exception {
    await(embedded.link.request(SUBJECT, id, message("q" + id), TIMEOUT));
  }

  private RawDelivery.Request last() {
    return (RawDelivery.Request) sink.last();
  }

  @Test
  void theReplyComesBackOnce() throws Exception {
    embedded.consume(SUBJECT, sink).request(4);
    request(7);
    RawDelivery.Request request = last();
    assertThat(request.id()).isEqualTo(7);
    assertThat(request.address()).isEqualTo("adder");
    embedded.clock.advance(Duration.ofSeconds(2));
    assertThat(request.timeLeft()).isEqualTo(Duration.ofSeconds(3));
    assertThat(settle(request, ACKNOWLEDGE)).isEqualTo(Settlement.APPLIED);
    assertThat(settle(request, ACKNOWLEDGE)).isEqualTo(Settlement.LEASE_LOST);
    Reply reply = Reply.of(7, message("answer"));
    await(request.reply(reply));
    await(request.reply(Reply.error(7, Reply.Status.FAILED, "late")));
    assertThat(embedded.replies).containsExactly(reply);
  }

  @Test
  void nobodyListensIsKnownAtOnce() throws Exception {
    assertThatThrownBy(() -> request(1))
        .hasCauseInstanceOf(NobodyListensException.class)
        .hasMessageContaining("nobody replies to adder");
    embedded.consume(SUBJECT, sink).close();
    assertThatThrownBy(() -> request(1)).hasCauseInstanceOf(NobodyListensException.class);
  }

  @Test
  void repliersTakeTurns() throws Exception {
    RecordingSink other = new RecordingSink();
    embedded.consume(SUBJECT, sink).request(1);
    embedded.consume(SUBJECT, other).request(8);
    for (int id = 1; id <= 4; id++) {
      request(id);
    }
    assertThat(sink.deliveries).hasSize(1);
    assertThat(other.deliveries).hasSize(3);
  }

  @Test
  void aRequestIsNotDeliveredAfterItsTime() throws Exception {
    Source source = embedded.consume(SUBJECT, sink);
    request(1);
    embedded.clock.advance(Duration.ofSeconds(4));
    request(2);
    embedded.clock.advance(Duration.ofSeconds(1));
    source.request(8);
    assertThat(sink.texts()).containsExactly("q2");
  }

  @Test
  void aCancelledRequestIsWithdrawn() throws Exception {
    Source source = embedded.consume(SUBJECT, sink);
    request(1);
    request(2);
    embedded.link.cancelRequest(SUBJECT, 1);
    embedded.link.cancelRequest(SUBJECT, 99);
    source.request(8);
    assertThat(sink.texts()).containsExactly("q2");
  }

  @Test
  void aReplierThatLeavesLosesWhatItAcceptedAndPassesOnTheRest() throws Exception {
    Source source = embedded.consume(SUBJECT, sink);
    source.request(2);
    request(1);
    request(2);
    RawDelivery.Request accepted = (RawDelivery.Request) sink.deliveries.get(0);
    settle(accepted, ACKNOWLEDGE);
    RecordingSink other = new RecordingSink();
    embedded.consume(SUBJECT, other).request(8);
    source.close();
    assertThat(other.texts()).containsExactly("q2");
    assertThat(embedded.replies).hasSize(1);
    assertThat(embedded.replies.get(0).status()).isEqualTo(Reply.Status.LOST);
    assertThat(embedded.replies.get(0).id()).isEqualTo(1);
    await(accepted.reply(Reply.of(1, message("too late"))));
    assertThat(settle(sink.last(), ACKNOWLEDGE)).isEqualTo(Settlement.LEASE_LOST);
    assertThat(embedded.replies).hasSize(1);
  }

  @Test
  void theLastReplierThatLeavesEndsWhatWaits() throws Exception {
    Source source = embedded.consume(SUBJECT, sink);
    source.request(1);
    request(1);
    request(2);
    source.cancel();
    assertThat(embedded.replies).extracting(Reply::id).containsExactly(2L);
    settle(sink.last(), GIVE_BACK);
    assertThat(embedded.replies).extracting(Reply::id).containsExactly(2L, 1L);
    assertThat(embedded.replies).extracting(Reply::status).containsOnly(Reply.Status.LOST);
  }

  @Test
  void aBuriedRequestIsAnError() throws Exception {
    embedded.consume(SUBJECT, sink).request(1);
    request(1);
    settle(last(), EmbeddedFixture.bury(DeadLetter.Reason.UNDECODABLE));
    assertThat(embedded.replies.get(0).status()).isEqualTo(Reply.Status.UNDECODABLE);
    assertThat(embedded.replies.get(0).error()).isEqualTo("buried");
  }

  @Test
  void requestsAreBounded() throws Exception {
    embedded.consume(SUBJECT, sink);
    for (int id = 1; id <= 10_000; id++) {
      request(id);
    }
    assertThatThrownBy(() -> request(10_001))
        .hasCauseInstanceOf(QueueFullException.class)
        .hasMessageContaining("subject adder is full: 10000 requests wait");
    embedded.clock.advance(TIMEOUT);
    request(10_002);
  }

  /** Links end in any order: callers may be gone before the last replier is. */
  @Test
  void requestsThatWaitWhenTheBrokerClosesAreAnswered() throws Exception {
    EngineLink replier = embedded.open(TIMEOUT);
    replier.consume(SUBJECT, new ConsumerSettings(8, 8, 8, Overflow.BLOCK), sink);
    for (int caller = 0; caller < 16; caller++) {
      await(embedded.open(TIMEOUT).request(SUBJECT, caller, message("q"), TIMEOUT));
    }
    assertThat(embedded.replies).isEmpty();
    embedded.broker.close();
    assertThat(embedded.replies).hasSize(16).allMatch(reply -> reply.status() == Reply.Status.LOST);
  }
}
