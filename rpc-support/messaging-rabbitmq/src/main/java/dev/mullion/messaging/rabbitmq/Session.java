package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.BuiltinExchangeType;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.DefaultConsumer;
import com.rabbitmq.client.Envelope;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * Two connections and their channels, from connecting until one of them is lost. Then both are
 * dropped, and a new session takes their place. Sending has a connection of its own, since the
 * broker stops to read from those that publish when it is short of memory or disk.
 *
 * <pre>
 *  sending     publishing   with confirms: topics, queues, settlements
 *              requests     with confirms; replies arrive here
 *              signals      without confirms
 *  receiving   one channel for each subscription, one for each question
 * </pre>
 */
final class Session {
  private static final String DIRECT_REPLY_TO = "amq.rabbitmq.reply-to";
  private static final int ABORT_MILLIS = 500;

  final Unconfirmed unconfirmed = new Unconfirmed();
  final Unconfirmed openRequests = new Unconfirmed();
  final Connection sending;
  final Connection receiving;
  final Channel publishing;
  final Channel requests;
  final Channel signals;
  private final Observer observer;
  private final AtomicBoolean over = new AtomicBoolean();
  private volatile @Nullable String blocked;

  /** Who wants to know what happens to a session. The methods are called on its threads. */
  interface Observer {
    void lost(Session session, Throwable cause);

    void replied(AMQP.BasicProperties properties, byte[] body);

    void signalReturned(String routingKey);
  }

  private Session(ConnectionFactory factory, Connecting with, Observer observer)
      throws IOException, TimeoutException {
    this.observer = observer;
    Connection first = with.connect(factory, "sending");
    Connection second = null;
    boolean opened = false;
    try {
      second = with.connect(factory, "receiving");
      this.sending = first;
      this.receiving = second;
      this.publishing = sending.createChannel();
      this.requests = sending.createChannel();
      this.signals = sending.createChannel();
      opened = true;
    } finally {
      if (!opened) {
        first.abort(ABORT_MILLIS);
        if (second != null) {
          second.abort(ABORT_MILLIS);
        }
      }
    }
  }

  /** Makes a connection. */
  interface Connecting {
    Connection connect(ConnectionFactory factory, String purpose)
        throws IOException, TimeoutException;
  }

  /** Connects. */
  static Session open(ConnectionFactory factory, Connecting with, Observer observer)
      throws IOException, TimeoutException {
    Session session = new Session(factory, with, observer);
    boolean set = false;
    try {
      session.setUp();
      set = true;
    } finally {
      if (!set) {
        session.drop();
      }
    }
    return session;
  }

  private void setUp() throws IOException {
    sending.addShutdownListener(this::fail);
    receiving.addShutdownListener(this::fail);
    for (Channel each : new Channel[] {publishing, requests, signals}) {
      each.addShutdownListener(this::fail);
    }
    sending.addBlockedListener(reason -> blocked = reason, () -> blocked = null);
    confirm(publishing, unconfirmed);
    confirm(requests, openRequests);
    signals.addReturnListener(returned -> observer.signalReturned(returned.getRoutingKey()));
    requests.basicConsume(DIRECT_REPLY_TO, true, new DefaultConsumer(requests) {
      @Override
      public void handleDelivery(
          String tag, Envelope envelope, AMQP.BasicProperties properties, byte[] body) {
        observer.replied(properties, body);
      }
    });
  }

  private static void confirm(Channel channel, Unconfirmed of) throws IOException {
    channel.confirmSelect();
    channel.addConfirmListener(
        (number, multiple) -> of.answered(number, multiple, true),
        (number, multiple) -> of.answered(number, multiple, false));
    channel.addReturnListener(returned ->
        of.returned(returned.getRoutingKey(), returned.getProperties().getMessageId()));
  }

  /** Creates the exchange of all topics, or checks that it is there. */
  void declareTopics(String exchange, boolean create) throws IOException, TimeoutException {
    try (Channel channel = newChannel()) {
      if (create) {
        channel.exchangeDeclare(exchange, BuiltinExchangeType.TOPIC, true);
      } else {
        channel.exchangeDeclarePassive(exchange);
      }
    }
  }

  void declareStream(String name, boolean create) throws IOException, TimeoutException {
    try (Channel channel = newChannel()) {
      if (create) {
        channel.queueDeclare(name, true, false, false, Map.of("x-queue-type", "stream"));
      } else {
        channel.queueDeclarePassive(name);
      }
    }
  }

  Channel newChannel() throws IOException {
    Channel channel = receiving.createChannel();
    if (channel == null) {
      throw new IOException("no channel is free on this connection (see channel_max of the broker"
          + " and requestedChannelMax of the client)");
    }
    return channel;
  }

  /** Closes a channel; what it holds goes back to its queues. */
  static void abort(Channel channel) {
    try {
      channel.abort();
    } catch (IOException | RuntimeException e) {
      // It is closed, or will be with its connection.
    }
  }

  boolean isOver() {
    return over.get();
  }

  boolean isBlocked() {
    return blocked != null;
  }

  String blockedReason() {
    return String.valueOf(blocked);
  }

  void fail(ShutdownSignalException cause) {
    fail((Throwable) cause);
  }

  /** Ends the session; the first cause counts. */
  void fail(Throwable cause) {
    if (over.compareAndSet(false, true)) {
      observer.lost(this, cause);
    }
  }

  /** Ends the session without telling anyone; the caller does what follows. */
  boolean end() {
    return over.compareAndSet(false, true);
  }

  /** Closes the connections, within a bound. */
  void drop() {
    over.set(true);
    receiving.abort(ABORT_MILLIS);
    sending.abort(ABORT_MILLIS);
  }
}
