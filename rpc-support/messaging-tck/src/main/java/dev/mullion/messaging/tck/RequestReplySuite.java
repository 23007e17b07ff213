package dev.mullion.messaging.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Guarantees.Pattern;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.NobodyListensException;
import dev.mullion.messaging.RequestFailedException;
import dev.mullion.messaging.Subject;
import dev.mullion.messaging.UndecodableMessageException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** Request-reply: replies and errors; cases 49 to 52, 54, 57 to 59. */
public abstract class RequestReplySuite extends EngineSuite {
  private static final byte[] NOT_UTF8 = {(byte) 0xC3, (byte) 0x28};

  /** Creates the suite. */
  protected RequestReplySuite() {}

  @Test
  @DisplayName("49. the reply arrives with its headers and the request's id as its correlation id")
  void wholeReply() throws Exception {
    Messaging messaging = messaging();
    Subject<String, String> subject = subject();
    ready(messaging
        .replier(subject)
        .startMessages(
            request -> CompletableFuture.completedFuture(Message.of("reply to " + request.payload())
                .withHeader("name", "größe")
                .withKey("key"))));
    Message<String> sent = Message.of("request");
    Message<String> reply =
        get(messaging.requestMessage(subject, sent, profile().delivery()));
    assertEquals("reply to request", reply.payload());
    assertEquals("größe", reply.header("name").orElse("none"));
    assertEquals("key", reply.key().orElse("none"));
    assertEquals(sent.id(), reply.correlationId().orElse("none"));
    Message<String> correlated = Message.of("other").withCorrelationId("given");
    reply = get(messaging.requestMessage(subject, correlated, profile().delivery()));
    assertEquals("given", reply.correlationId().orElse("none"));
  }

  @Test
  @DisplayName("50. 100 requests at once, answered in reverse order, each get their own reply")
  void reverseOrder() throws Exception {
    Messaging messaging = messaging();
    Subject<String, String> subject = subject();
    List<CompletableFuture<String>> replies = new ArrayList<>();
    List<String> requests = new ArrayList<>();
    ready(messaging.replier(subject).concurrency(100).startAsync(request -> {
      CompletableFuture<String> reply = new CompletableFuture<>();
      synchronized (replies) {
        requests.add(request.payload());
        replies.add(reply);
      }
      return reply;
    }));
    List<CompletableFuture<String>> sent = new ArrayList<>();
    for (String request : numbered("", 100)) {
      sent.add(messaging.request(subject, request, profile().delivery()));
    }
    await("100 requests", () -> size(replies) == 100, () -> size(replies));
    for (int i = 99; i >= 0; i--) {
      replies.get(i).complete("reply " + requests.get(i));
    }
    for (int i = 0; i < 100; i++) {
      assertEquals("reply " + i, get(sent.get(i)));
    }
  }

  private static int size(List<?> list) {
    synchronized (list) {
      return list.size();
    }
  }

  @Test
  @DisplayName("51. a request that nobody listens to fails at once, or at its timeout")
  void nobodyListens() throws Throwable {
    Messaging messaging = messaging();
    Subject<String, String> subject = subject();
    if (guarantees(Pattern.REQUEST_REPLY).knowsNobodyListens()) {
      atOnce(
          "the error",
          () -> assertText(
              failure(
                  NobodyListensException.class,
                  messaging.request(subject, "x", Duration.ofMinutes(5))),
              subject.name()));
    } else {
      failure(TimeoutException.class, messaging.request(subject, "x", Duration.ofMillis(300)));
    }
    assertEquals(0, messaging.counters().pending());
  }

  @EachHandlerKind
  @DisplayName("52. the text of the replier's exception reaches the caller, not its stack")
  void replierThrows(HandlerKind kind) throws Exception {
    Messaging messaging = messaging();
    Subject<String, String> subject = subject();
    ready(kind.start(messaging.replier(subject), request -> {
      if (request.payload().equals("error")) {
        throw new StackOverflowError("an error's text");
      }
      throw new IllegalStateException("only this text");
    }));
    RequestFailedException failed = failure(
        RequestFailedException.class, messaging.request(subject, "x", profile().delivery()));
    assertText(failed, "only this text");
    String text = String.valueOf(failed.getMessage());
    assertFalse(text.contains("\tat ") || text.contains("Suite.java"), text);
    assertText(
        failure(
            RequestFailedException.class,
            messaging.request(subject, "error", profile().delivery())),
        "an error's text");
  }

  @Test
  @DisplayName("54. two callers of one subject never get each other's replies")
  void twoCallers() throws Exception {
    Subject<String, String> subject = subject();
    Messaging replier = messaging();
    ready(replier.reply(subject, request -> "re " + request.payload()));
    List<Messaging> callers = List.of(messaging(), messaging());
    List<CompletableFuture<String>> replies = new ArrayList<>();
    int count = profile().scaled(400);
    for (int i = 0; i < count; i++) {
      replies.add(callers.get(i % 2).request(subject, i % 2 + "/" + i, profile().delivery()));
    }
    for (int i = 0; i < count; i++) {
      assertEquals("re " + i % 2 + "/" + i, get(replies.get(i)));
    }
    callers.forEach(caller -> assertEquals(0, caller.counters().timedOut()));
  }

  @Test
  @DisplayName(
      "57. an undecodable request is an error to the caller, without a call of the replier")
  void undecodableRequest() throws Exception {
    Messaging messaging = messaging();
    Subject<String, String> subject = subject();
    Subject<byte[], String> bytes =
        Subject.of(subject.name(), Codecs.bytes(), subject.replyCodec());
    Received<String> received = received();
    ready(messaging.reply(subject, request -> {
      received.add(request);
      return "reply";
    }));
    failure(
        UndecodableMessageException.class,
        messaging.request(bytes, NOT_UTF8, profile().delivery()));
    assertEquals("reply", get(messaging.request(subject, "good", profile().delivery())));
    received.awaitExactly(List.of("good"));
  }

  @Test
  @DisplayName("57. an undecodable reply is an error to the caller")
  void undecodableReply() throws Exception {
    Messaging messaging = messaging();
    Subject<String, String> subject = subject();
    Subject<String, byte[]> bytes =
        Subject.of(subject.name(), subject.requestCodec(), Codecs.bytes());
    ready(messaging.reply(bytes, request -> NOT_UTF8));
    failure(
        UndecodableMessageException.class,
        messaging.request(subject, "x", profile().delivery()));
    assertEquals(0, messaging.counters().pending());
  }

  @Test
  @DisplayName("58. large requests and replies arrive")
  void largeReply() throws Exception {
    Messaging messaging = messaging();
    Subject<String, String> subject = subject();
    ready(messaging.reply(subject, request -> request.payload() + "!"));
    String large = "x".repeat(1_000_000);
    assertEquals(large + "!", get(messaging.request(subject, large, profile().delivery())));
    assertEquals("!", get(messaging.request(subject, "", profile().delivery())));
  }

  @EachHandlerKind
  @DisplayName("59. 16 repliers share the requests")
  void repliersShare(HandlerKind kind) throws Exception {
    Subject<String, String> subject = subject();
    Messaging one = messaging();
    Messaging two = messaging();
    // Passed only if 16 requests are handled at the same time, one by each replier.
    CyclicBarrier all = new CyclicBarrier(16);
    Received<String> received = received();
    for (int i = 0; i < 16; i++) {
      String name = "replier" + i;
      ready(kind.start((i % 2 == 0 ? one : two).replier(subject).concurrency(1), request -> {
        received.add(request);
        all.await(20, TimeUnit.SECONDS);
        return name;
      }));
    }
    for (int round = 0; round < 5; round++) {
      List<CompletableFuture<String>> replies = new ArrayList<>();
      for (String request : numbered(round + "/", 16)) {
        replies.add(one.request(subject, request, profile().delivery()));
      }
      assertEquals(16, replies.stream().map(this::get).distinct().count());
    }
    assertEquals(80, received.size());
  }
}
