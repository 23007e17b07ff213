package dev.mullion.messaging.grpc;

import static dev.mullion.messaging.grpc.StubClient.frame;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.grpc.v1.CancelRequest;
import dev.mullion.messaging.grpc.v1.ClientFrame;
import dev.mullion.messaging.grpc.v1.Done;
import dev.mullion.messaging.grpc.v1.Error;
import dev.mullion.messaging.grpc.v1.Request;
import dev.mullion.messaging.grpc.v1.Send;
import dev.mullion.messaging.grpc.v1.ServerFrame.FrameCase;
import io.grpc.Status;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A request is answered once: by Done, or by its reply. */
class SessionRequestsTest {
  private final ScriptedEngine engine = new ScriptedEngine();
  private MessagingServer server;
  private StubClient client;

  /** One frame without an answer: what is not answered, or twice, breaks the next one. */
  @BeforeEach
  void start() throws Exception {
    server = MessagingServer.builder(engine).window(1).start();
    client = StubClient.connect(server);
  }

  @AfterEach
  void stop() {
    client.close();
    server.close();
  }

  private static ClientFrame.Builder request(long id, Duration timeout) {
    return frame()
        .setRequest(
            Request.newBuilder().setId(id).setSubject("s").setTimeout(WireMessages.of(timeout)));
  }

  private void ask(long id) {
    client.send(request(id, Duration.ofSeconds(20)));
    Eventually.isTrue("request", () -> engine.links.get(0).requests.contains(id));
  }

  private void reply(long id) {
    engine
        .links
        .get(0)
        .context
        .events()
        .replied(Reply.of(id, dev.mullion.messaging.Message.of(new byte[1])));
  }

  private void expectReply(long id) {
    assertThat(client.expect(FrameCase.REPLY).getReply().getId()).isEqualTo(id);
  }

  @Test
  void replyAnswersOrFollowsTheAnswer() {
    for (long id = 1; id <= 50; id++) {
      ask(id);
      reply(id);
      expectReply(id);
    }
    client.ping();
    assertThat(client.status).isNotDone();
  }

  @Test
  void requestWithoutReplyIsAnswered() {
    ask(1);
    assertThat(client.done()).isEqualTo(Done.newBuilder().setId(1).build());
    ask(2);
    assertThat(client.done().getId()).isEqualTo(2);
    reply(1);
    expectReply(1);
    reply(2);
    expectReply(2);
    client.ping();
    assertThat(client.has(FrameCase.DONE)).isFalse();
  }

  @Test
  void cancelledRequestIsAnsweredThoughItsReplyComes() {
    for (long id = 1; id <= 50; id++) {
      ask(id);
      client.send(frame().setCancelRequest(CancelRequest.newBuilder().setId(id)));
      assertThat(client.done().getId()).isEqualTo(id);
      reply(id); // too late
      expectReply(id);
    }
    client.ping();
    assertThat(client.has(FrameCase.DONE)).isFalse();
    assertThat(client.status).isNotDone();
  }

  /** A window that was freed twice would let two frames pass. */
  @Test
  void secondReplyAnswersNothing() {
    engine.holdSends = true;
    ask(1);
    reply(1);
    reply(1);
    expectReply(1);
    expectReply(1);
    client.send(send(2), send(3));
    Status status = client.status();
    assertThat(status.getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
    assertThat(status.getDescription()).startsWith("frames without an answer: 2 (expected: <= 1");
  }

  private static ClientFrame.Builder send(long id) {
    return frame().setSend(Send.newBuilder().setId(id).setTopic("prices"));
  }

  @Test
  void requestThatTheEngineRefusesHasNoOtherAnswer() {
    client.send(request(1, Duration.ZERO));
    Done done = client.done();
    assertThat(done.getError().getKind()).isEqualTo(Error.Kind.KIND_INVALID);
    ask(1); // the id is free again
    reply(1);
    expectReply(1);
  }
}
