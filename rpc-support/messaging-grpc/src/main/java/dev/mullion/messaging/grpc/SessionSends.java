package dev.mullion.messaging.grpc;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.MessageTooLargeException;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.MissingAddressException;
import dev.mullion.messaging.QueueFullException;
import dev.mullion.messaging.Subject;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.EngineLink.Declaration;
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.grpc.Permissions.Verb;
import dev.mullion.messaging.grpc.v1.Error;
import dev.mullion.messaging.grpc.v1.Request;
import dev.mullion.messaging.grpc.v1.Send;
import dev.mullion.messaging.grpc.v1.ServerFrame;
import dev.mullion.messaging.grpc.v1.Signal;
import dev.mullion.messaging.grpc.v1.SignalsDropped;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/** What one client sends: messages, signals and requests. */
final class SessionSends {
  private static final int MOST_NAMES = 10_000;
  private static final int MOST_REQUESTS = 10_000;
  private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

  private record Open(Route.Subject subject, long until) {}

  private final ServerSession session;
  private final EngineLink link;
  private final int maxMessageSize;

  /** These are used by the thread of the client's frames. */
  private final Map<String, Route.Queue> declared = new HashMap<>();

  private final Set<Route> prepared = new HashSet<>();
  private final Map<String, Long> droppedSignals = new HashMap<>();

  private long nextLook = System.nanoTime(); // for late requests, while there is no room
  private final Map<Long, Open> requests = new ConcurrentHashMap<>();

  SessionSends(ServerSession session, EngineLink link, int maxMessageSize) {
    this.session = session;
    this.link = link;
    this.maxMessageSize = maxMessageSize;
  }

  /** Notes a queue as one that messages can be sent to. */
  void declared(Route.Queue queue) {
    if (declared.size() >= MOST_NAMES && !declared.containsKey(queue.id())) {
      throw new BrokenRules(
          "declared queues: " + declared.size() + " (expected: <= " + MOST_NAMES + ")");
    }
    declared.put(queue.id(), queue);
  }

  void deleted(Route.Queue queue) {
    declared.remove(queue.id());
  }

  void send(Send frame) {
    int size = frame.getMessage().getSerializedSize();
    CompletionStage<Void> sent;
    try {
      Route route = route(frame);
      sent = link.send(route, message(frame.getMessage()));
    } catch (MessagingException | RuntimeException thrown) {
      session.answer(frame.getId(), size, ServerSession.error(thrown));
      return;
    }
    sent.whenComplete((done, error) ->
        session.answer(frame.getId(), size, error == null ? null : WireErrors.of(error)));
  }

  /** Returns where a message goes, if the client may send to it. */
  private Route route(Send frame) throws MessagingException {
    switch (frame.getToCase()) {
      case TOPIC -> {
        Route.Topic topic =
            new Route.Topic(Topic.of(frame.getTopic(), Codecs.bytes()).name());
        if (topic.isPattern()) {
          throw new IllegalArgumentException("topic: " + topic.name()
              + " (expected: no pattern, which can only be subscribed to)");
        }
        session.check(topic.name(), Verb.PUBLISH);
        prepare(topic);
        return topic;
      }
      case QUEUE -> {
        Route.Queue queue = declared.get(frame.getQueue());
        if (queue == null || queue.source().isPresent()) {
          throw new MissingAddressException("queue: " + frame.getQueue()
              + " (expected: a queue, not a group, that was declared on this stream)");
        }
        session.check(queue.name(), Verb.PUSH);
        return queue;
      }
      default -> throw new BrokenRules("to: absent (expected: topic or queue)");
    }
  }

  /** Returns the name of a subject, checked. */
  static String subject(String name) {
    return Subject.of(name, Codecs.bytes(), Codecs.bytes()).name();
  }

  private void prepare(Route route) throws MessagingException {
    if (!prepared.contains(route)) {
      link.prepare(route, Declaration.CHECK);
      if (prepared.size() >= MOST_NAMES) {
        prepared.clear();
      }
      prepared.add(route);
    }
  }

  private Message<byte[]> message(dev.mullion.messaging.grpc.v1.Message wire)
      throws MessageTooLargeException {
    long size = WireMessages.size(wire);
    if (size > maxMessageSize) {
      throw new MessageTooLargeException("message of " + size + " bytes exceeds maxMessageSize "
          + maxMessageSize + " of the server");
    }
    return WireMessages.from(wire);
  }

  void signal(Signal frame) {
    boolean sent = false;
    try {
      Route.Signal signal = new Route.Signal(
          dev.mullion.messaging.Signal.of(frame.getSignal(), Codecs.bytes()).name());
      session.check(signal.name(), Verb.SEND);
      prepare(signal);
      sent = link.trySend(signal, message(frame.getMessage()));
    } catch (MessagingException | IllegalArgumentException thrown) {
      Logs.LOG.log(
          Logs.Event.SIGNAL, System.Logger.Level.DEBUG, null, () -> "a signal was dropped", thrown);
    }
    if (!sent) {
      droppedSignals.merge(frame.getSignal(), 1L, Long::sum);
    }
  }

  /** Reports the signals that were dropped while a batch of frames was handled. */
  void reportDropped() {
    if (!droppedSignals.isEmpty()) {
      droppedSignals.forEach((signal, messages) -> session.addLazily(ServerFrame.newBuilder()
          .setSignalsDropped(SignalsDropped.newBuilder().setSignal(signal).setMessages(messages))
          .build()));
      droppedSignals.clear();
    }
  }

  void request(Request frame) {
    long id = frame.getId();
    int size = frame.getMessage().getSerializedSize();
    CompletionStage<Void> sent;
    try {
      Route.Subject subject = new Route.Subject(subject(frame.getSubject()));
      Duration timeout = WireMessages.from(frame.getTimeout());
      if (timeout.isZero() || timeout.isNegative()) {
        throw new IllegalArgumentException("timeout: " + timeout + " (expected: > 0)");
      }
      session.check(subject.name(), Verb.REQUEST);
      Message<byte[]> message = message(frame.getMessage());
      prepare(subject);
      open(id, subject, timeout);
      sent = link.request(subject, id, message, timeout);
    } catch (MessagingException | RuntimeException thrown) {
      requests.remove(id);
      session.answer(id, size, ServerSession.error(thrown));
      return;
    }
    sent.whenComplete((done, error) -> {
      if (error == null) {
        session.answerLazily(id, size);
      } else {
        requests.remove(id);
        session.answer(id, size, WireErrors.of(error));
      }
    });
  }

  private void open(long id, Route.Subject subject, Duration timeout) throws QueueFullException {
    long now = System.nanoTime();
    if (requests.size() >= MOST_REQUESTS && now - nextLook >= 0) {
      requests.values().removeIf(each -> each.until() - now < 0);
      nextLook = now + LOOK_NANOS;
    }
    if (requests.size() >= MOST_REQUESTS) {
      throw new QueueFullException("open requests of this client: " + requests.size()
          + " (expected: < " + MOST_REQUESTS + ")");
    }
    long until = now + WireMessages.nanos(timeout);
    if (requests.putIfAbsent(id, new Open(subject, until)) != null) {
      throw new BrokenRules("id: " + id + " (expected: not that of an open request)");
    }
  }

  void cancel(long id) {
    Open open = requests.remove(id);
    if (open != null) {
      link.cancelRequest(open.subject(), id);
    }
  }

  /** Passes a reply on; a late one too, which the client counts. */
  void replied(Reply reply) {
    requests.remove(reply.id());
    var wire = dev.mullion.messaging.grpc.v1.Reply.newBuilder().setId(reply.id());
    if (reply.status() == Reply.Status.OK && reply.message().isPresent()) {
      answer(wire, WireMessages.of(reply.message().get()));
    } else {
      wire.setError(WireErrors.of(WireErrors.kind(reply.status()), reply.error()));
    }
    session.addHere(ServerFrame.newBuilder().setReply(wire).build());
  }

  private void answer(
      dev.mullion.messaging.grpc.v1.Reply.Builder wire,
      dev.mullion.messaging.grpc.v1.Message message) {
    long size = WireMessages.size(message);
    if (size <= maxMessageSize) {
      wire.setMessage(message);
    } else {
      wire.setError(WireErrors.of(
          Error.Kind.KIND_REQUEST_FAILED,
          "reply of " + size + " bytes exceeds maxMessageSize " + maxMessageSize
              + " of the server"));
    }
  }
}
