package dev.mullion.messaging.grpc;

import dev.mullion.messaging.MessagingClock;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.QueueFullException;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.grpc.Permissions.Verb;
import dev.mullion.messaging.grpc.v1.Error;
import dev.mullion.messaging.grpc.v1.Request;
import dev.mullion.messaging.grpc.v1.ServerFrame;
import java.time.Duration;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The requests of one client. Most replies come at once, and answer the request; only what takes
 * longer is answered before, by Done.
 */
final class SessionRequests {
  private static final int MOST = 10_000;
  private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

  /** How long an answer waits for the reply. */
  private static final Duration PATIENCE = Duration.ofMillis(5);

  /** A request without a reply. */
  private static final class Open {
    final long id;
    final int bytes;
    final Route.Subject subject;
    final long until;
    private final AtomicBoolean answered = new AtomicBoolean();

    Open(Request frame, Route.Subject subject, long until) {
      this.id = frame.getId();
      this.bytes = frame.getMessage().getSerializedSize();
      this.subject = subject;
      this.until = until;
    }

    /** Returns whether the caller has to answer it: it is answered once. */
    boolean answer() {
      return answered.compareAndSet(false, true);
    }
  }

  private final ServerSession session;
  private final SessionSends sends;
  private final EngineLink link;
  private final Map<Long, Open> open = new ConcurrentHashMap<>();
  private final Queue<Open> accepted = new ConcurrentLinkedQueue<>();
  private final AtomicBoolean timed = new AtomicBoolean();

  /** For late requests, while there is no room; used by the thread of the client's frames. */
  private long nextLook = System.nanoTime();

  SessionRequests(ServerSession session, SessionSends sends, EngineLink link) {
    this.session = session;
    this.sends = sends;
    this.link = link;
  }

  void request(Request frame) {
    Open request;
    CompletionStage<Void> sent;
    try {
      Route.Subject subject = sends.subject(frame.getSubject());
      Duration timeout = WireMessages.from(frame.getTimeout());
      if (timeout.isZero() || timeout.isNegative()) {
        throw new IllegalArgumentException("timeout: " + timeout + " (expected: > 0)");
      }
      session.check(subject.name(), Verb.REQUEST);
      var message = sends.message(frame.getMessage());
      sends.prepare(subject);
      request = open(frame, subject, timeout);
      sent = request(request, message, timeout);
    } catch (MessagingException | RuntimeException thrown) {
      session.answers.answer(
          frame.getId(), frame.getMessage().getSerializedSize(), ServerSession.error(thrown));
      return;
    }
    sent.whenComplete((done, error) -> {
      if (error == null) {
        answerLater(request);
      } else if (request.answer()) {
        open.remove(request.id, request);
        session.answers.answer(request.id, request.bytes, WireErrors.of(error));
      }
    });
  }

  private CompletionStage<Void> request(
      Open request, dev.mullion.messaging.Message<byte[]> message, Duration timeout) {
    boolean asked = false;
    try {
      CompletionStage<Void> sent = link.request(request.subject, request.id, message, timeout);
      asked = true;
      return sent;
    } finally {
      if (!asked) {
        open.remove(request.id, request);
      }
    }
  }

  private Open open(Request frame, Route.Subject subject, Duration timeout)
      throws QueueFullException {
    long now = System.nanoTime();
    if (open.size() >= MOST && now - nextLook >= 0) {
      open.values().forEach(each -> {
        if (each.until - now < 0) {
          drop(each);
        }
      });
      nextLook = now + LOOK_NANOS;
    }
    if (open.size() >= MOST) {
      throw new QueueFullException(
          "open requests of this client: " + open.size() + " (expected: < " + MOST + ")");
    }
    Open request = new Open(frame, subject, now + WireMessages.nanos(timeout));
    if (open.putIfAbsent(request.id, request) != null) {
      throw new BrokenRules("id: " + request.id + " (expected: not that of an open request)");
    }
    return request;
  }

  /** The engine has accepted it: this is told if there is no reply soon. */
  private void answerLater(Open request) {
    if (!request.answered.get()) {
      accepted.add(request);
      if (timed.compareAndSet(false, true)) {
        boolean scheduled = false;
        try {
          MessagingClock.system()
              .schedule(PATIENCE, Later.on(session.serving.executor, this::answerAll));
          scheduled = true;
        } finally {
          if (!scheduled) {
            timed.set(false);
          }
        }
      }
    }
  }

  private void answerAll() {
    timed.set(false);
    for (Open each = accepted.poll(); each != null; each = accepted.poll()) {
      answer(each);
    }
  }

  private void answer(Open request) {
    if (request.answer()) {
      session.answers.answer(request.id, request.bytes, null);
    }
  }

  /** Forgets a request: a reply that comes later finds it answered. */
  private void drop(Open request) {
    open.remove(request.id, request);
    answer(request);
  }

  void cancel(long id) {
    Open request = open.get(id);
    if (request != null) {
      drop(request);
      link.cancelRequest(request.subject, id);
    }
  }

  /** Passes a reply on; a late one too, which the client counts. */
  void replied(Reply reply) {
    Open request = open.remove(reply.id());
    if (request != null && request.answer()) {
      session.answers.answered(request.bytes);
    }
    var wire = dev.mullion.messaging.grpc.v1.Reply.newBuilder().setId(reply.id());
    if (reply.status() == Reply.Status.OK && reply.message().isPresent()) {
      answer(wire, WireMessages.of(reply.message().get()));
    } else {
      wire.setError(WireErrors.of(WireErrors.kind(reply.status()), reply.error()));
    }
    session.answers.addHere(ServerFrame.newBuilder().setReply(wire).build());
  }

  private void answer(
      dev.mullion.messaging.grpc.v1.Reply.Builder wire,
      dev.mullion.messaging.grpc.v1.Message message) {
    String tooLarge = WireMessages.tooLarge(message, session.serving.limits.maxMessageSize());
    if (tooLarge == null) {
      wire.setMessage(message);
    } else {
      wire.setError(WireErrors.of(Error.Kind.KIND_REQUEST_FAILED, "reply of " + tooLarge));
    }
  }
}
