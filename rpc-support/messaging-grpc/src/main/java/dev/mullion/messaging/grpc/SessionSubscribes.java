package dev.mullion.messaging.grpc;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.Signal;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.UnsupportedSettingException;
import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.EngineLink.Declaration;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Source;
import dev.mullion.messaging.grpc.Permissions.Verb;
import dev.mullion.messaging.grpc.v1.Credit;
import dev.mullion.messaging.grpc.v1.Ready;
import dev.mullion.messaging.grpc.v1.ServerFrame;
import dev.mullion.messaging.grpc.v1.Subscribe;

/** Starts the subscriptions of one client. */
final class SessionSubscribes {
  private static final int DEFAULT_BUFFER = 8192;
  private static final int MOST_BUFFER = 1_000_000;

  private final ServerSession session;
  private final EngineLink link;
  private final SessionSends sends;

  SessionSubscribes(ServerSession session, EngineLink link, SessionSends sends) {
    this.session = session;
    this.link = link;
    this.sends = sends;
  }

  void subscribe(Subscribe frame) {
    try {
      Route route = route(frame);
      ConsumerSettings settings = settings(frame);
      if (route instanceof Route.Queue queue) {
        session.serving.queues.declare(queue, Declaration.CHECK, link);
        sends.declared(queue);
      } else {
        link.prepare(route, Declaration.CHECK);
      }
      start(frame, route, settings);
    } catch (MessagingException | RuntimeException thrown) {
      session.answers.done(frame.getId(), ServerSession.error(thrown));
    }
  }

  private Route route(Subscribe frame) throws MessagingException {
    return switch (frame.getToCase()) {
      case TOPIC -> {
        String name = Topic.of(frame.getTopic(), Codecs.bytes()).name();
        session.check(name, Verb.SUBSCRIBE);
        yield new Route.Topic(name);
      }
      case QUEUE -> {
        Route.Queue queue = WireQueues.from(frame.getQueue());
        session.check(queue, Verb.PULL);
        yield queue;
      }
      case SUBJECT -> {
        String name = sends.subject(frame.getSubject()).name();
        session.check(name, Verb.REPLY);
        yield new Route.Subject(name);
      }
      case SIGNAL -> {
        String name = Signal.of(frame.getSignal(), Codecs.bytes()).name();
        session.check(name, Verb.RECEIVE);
        yield new Route.Signal(name);
      }
      case TO_NOT_SET ->
        throw new BrokenRules("to: absent (expected: topic, queue, subject or signal)");
    };
  }

  private ConsumerSettings settings(Subscribe frame) throws UnsupportedSettingException {
    int window = frame.getWindow() == 0 ? Math.max(1, frame.getCredit()) : frame.getWindow();
    int most = session.deliveries.maxCredit();
    if (window < 1 || window > most) {
      throw new UnsupportedSettingException(
          "window: " + window + " (expected: 1 to " + most + ", the server's maxCredit)");
    }
    if (frame.getCredit() < 0) {
      throw new BrokenRules("credit: " + frame.getCredit() + " (expected: >= 0)");
    }
    int buffer = frame.hasBuffer() ? frame.getBuffer() : DEFAULT_BUFFER;
    if (buffer < 0 || buffer > MOST_BUFFER) {
      throw new UnsupportedSettingException(
          "buffer: " + buffer + " (expected: 0 to " + MOST_BUFFER + ")");
    }
    return new ConsumerSettings(
        Math.max(1, frame.getConcurrency()), window, buffer, WireQueues.from(frame.getOverflow()));
  }

  private void start(Subscribe frame, Route route, ConsumerSettings settings)
      throws MessagingException {
    ServedSubscription subscription = new ServedSubscription(
        frame.getSubscription(),
        route,
        frame.getAnnouncesBegin(),
        settings.concurrency(),
        session.deliveries);
    session.deliveries.add(subscription);
    Source source;
    boolean started = false;
    try {
      source = link.consume(route, settings, subscription);
      started = true;
      if (route instanceof Route.Queue queue) {
        session.serving.queues.used(queue);
      }
    } finally {
      if (!started) {
        session.deliveries.remove(subscription);
      }
    }
    subscription.started(source);
    if (session.isOver()) {
      session.execute(source::close);
      return;
    }
    session.answers.done(frame.getId(), null);
    source.ready().whenComplete((ready, error) -> {
      if (error == null) {
        session.answers.add(ServerFrame.newBuilder()
            .setReady(Ready.newBuilder().setSubscription(subscription.id))
            .build());
      }
    });
    if (frame.getCredit() > 0) {
      subscription.credit(frame.getCredit());
    }
  }

  /** Adds credit; a subscription that has just ended does not need it. */
  void credit(Credit frame) {
    ServedSubscription subscription = session.deliveries.find(frame.getSubscription());
    if (subscription != null) {
      subscription.credit(frame.getMessages());
    }
  }
}
