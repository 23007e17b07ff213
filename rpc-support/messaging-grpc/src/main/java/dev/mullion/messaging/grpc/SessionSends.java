package dev.mullion.messaging.grpc;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.MessageTooLargeException;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.MissingAddressException;
import dev.mullion.messaging.Subject;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.EngineLink.Declaration;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.grpc.Permissions.Verb;
import dev.mullion.messaging.grpc.v1.Send;
import dev.mullion.messaging.grpc.v1.ServerFrame;
import dev.mullion.messaging.grpc.v1.Signal;
import dev.mullion.messaging.grpc.v1.SignalsDropped;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;

/** What one client sends: messages and signals. */
final class SessionSends {
  private static final int MOST_NAMES = 10_000;

  private final ServerSession session;
  private final EngineLink link;
  private final int maxMessageSize;
  private final int maxQueues;

  /** These are used by the thread of the client's frames. */
  private final Map<String, Route.Queue> declared = new LinkedHashMap<>(16, 0.75f, true);

  private final Set<Route> prepared = new HashSet<>();
  private final Map<String, Long> droppedSignals = new HashMap<>();

  /** Addresses whose names were checked. */
  private final Map<String, Route.Topic> topics = new HashMap<>();

  private final Map<String, Route.Subject> subjects = new HashMap<>();
  private final Map<String, Route.Signal> signals = new HashMap<>();

  SessionSends(ServerSession session, EngineLink link, Serving.Limits limits) {
    this.session = session;
    this.link = link;
    this.maxMessageSize = limits.maxMessageSize();
    this.maxQueues = limits.maxQueues();
  }

  /**
   * Notes a queue as one that messages can be sent to. If these are too many, those that were
   * deleted are forgotten, and if none was, the one that was not used for the longest time.
   */
  void declared(Route.Queue queue) {
    if (queue.source().isPresent()) {
      return;
    }
    declared.put(queue.id(), queue);
    if (declared.size() > maxQueues) {
      declared.values().removeIf(each -> !session.serving.queues.has(each));
    }
    if (declared.size() > maxQueues) {
      declared.remove(declared.keySet().iterator().next());
    }
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
      if (route instanceof Route.Queue queue) {
        session.serving.queues.used(queue);
      }
    } catch (MessagingException | RuntimeException thrown) {
      session.answers.answer(frame.getId(), size, ServerSession.error(thrown));
      return;
    }
    sent.whenComplete((done, error) -> {
      if (error == null) {
        session.answers.sent(frame.getId(), size);
      } else {
        session.answers.answer(frame.getId(), size, WireErrors.of(error));
      }
    });
  }

  /** Returns where a message goes, if the client may send to it. */
  private Route route(Send frame) throws MessagingException {
    switch (frame.getToCase()) {
      case TOPIC -> {
        Route.Topic topic = checked(topics, frame.getTopic(), SessionSends::topic);
        session.check(topic.name(), Verb.PUBLISH);
        prepare(topic);
        return topic;
      }
      case QUEUE -> {
        Route.Queue queue = declared.get(frame.getQueue());
        if (queue == null) {
          throw new MissingAddressException("queue: " + frame.getQueue()
              + " (expected: a queue, not a group, that was declared on this stream)");
        }
        session.check(queue.name(), Verb.PUSH);
        session.serving.queues.restore(queue, link);
        return queue;
      }
      default -> throw new BrokenRules("to: absent (expected: topic or queue)");
    }
  }

  /** Returns an address by a name that is checked when it comes for the first time. */
  private static <T> T checked(Map<String, T> known, String name, Function<String, T> check) {
    T address = known.get(name);
    if (address == null) {
      address = check.apply(name);
      if (known.size() >= MOST_NAMES) {
        known.clear();
      }
      known.put(name, address);
    }
    return address;
  }

  private static Route.Topic topic(String name) {
    Route.Topic topic = new Route.Topic(Topic.of(name, Codecs.bytes()).name());
    if (topic.isPattern()) {
      throw new IllegalArgumentException(
          "topic: " + name + " (expected: no pattern, which can only be subscribed to)");
    }
    return topic;
  }

  Route.Subject subject(String name) {
    return checked(
        subjects,
        name,
        checked -> new Route.Subject(
            Subject.of(checked, Codecs.bytes(), Codecs.bytes()).name()));
  }

  private Route.Signal signal(String name) {
    return checked(
        signals,
        name,
        checked -> new Route.Signal(
            dev.mullion.messaging.Signal.of(checked, Codecs.bytes()).name()));
  }

  void prepare(Route route) throws MessagingException {
    if (!prepared.contains(route)) {
      link.prepare(route, Declaration.CHECK);
      if (prepared.size() >= MOST_NAMES) {
        prepared.clear();
      }
      prepared.add(route);
    }
  }

  Message<byte[]> message(dev.mullion.messaging.grpc.v1.Message wire)
      throws MessageTooLargeException {
    String tooLarge = WireMessages.tooLarge(wire, maxMessageSize);
    if (tooLarge != null) {
      throw new MessageTooLargeException("message of " + tooLarge);
    }
    return WireMessages.from(wire);
  }

  void signal(Signal frame) {
    boolean sent = false;
    try {
      Route.Signal signal = signal(frame.getSignal());
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
      droppedSignals.forEach(
          (signal, messages) -> session.answers.addLazily(ServerFrame.newBuilder()
              .setSignalsDropped(
                  SignalsDropped.newBuilder().setSignal(signal).setMessages(messages))
              .build()));
      droppedSignals.clear();
    }
  }
}
