package dev.mullion.messaging.rabbitmq;

import static java.util.Objects.requireNonNull;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.AlreadyClosedException;
import com.rabbitmq.client.BuiltinExchangeType;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.Consumer;
import com.rabbitmq.client.DefaultConsumer;
import com.rabbitmq.client.Envelope;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.IOException;
import java.util.Collection;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
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
 *              delays       with confirms: copies for delay queues
 *              signals      without confirms
 *  receiving   one channel for each subscription, one for each question
 * </pre>
 *
 * <p>A channel that the broker closes, for a message that is too large or forbidden or for a queue
 * that is gone, is opened again, and nothing else ends.
 */
final class Session {
  private static final String DIRECT_REPLY_TO = "amq.rabbitmq.reply-to";
  private static final int ABORT_MILLIS = 500;

  final Connection sending;
  final Connection receiving;
  private final Map<Lane.Kind, Lane> lanes = new ConcurrentHashMap<>();
  private final Observer observer;
  private final AtomicBoolean over = new AtomicBoolean();
  private volatile @Nullable String blocked;
  private volatile long readsSince = System.nanoTime();

  /** Who wants to know what happens to a session. The methods are called on its threads. */
  interface Observer {
    void lost(Session session, Throwable cause);

    /** The broker has closed a lane, which the observer is to open again. */
    void closed(Session session, Lane.Kind kind, Lane lane, Throwable cause);

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
    sending.addBlockedListener(reason -> blocked = reason, this::unblocked);
    for (Lane.Kind each : Lane.Kind.values()) {
      Lane lane = open(each);
      lanes.put(each, lane);
      watch(each, lane);
    }
  }

  /** Opens a lane in place of an older one, unless another one is there already. */
  void reopen(Lane.Kind kind, Lane older) throws IOException {
    Lane opened = open(kind);
    if (lanes.replace(kind, older, opened)) {
      watch(kind, opened);
    } else {
      abort(opened.channel());
    }
  }

  private Lane open(Lane.Kind kind) throws IOException {
    Channel channel = sending.createChannel();
    if (channel == null) {
      throw noChannel();
    }
    Lane opened = kind == Lane.Kind.SIGNALS ? Lane.open(channel) : Lane.confirmed(channel);
    if (kind == Lane.Kind.SIGNALS) {
      channel.addReturnListener(returned -> observer.signalReturned(returned.getRoutingKey()));
    }
    if (kind == Lane.Kind.REQUESTS) {
      consumeReplies(channel);
    }
    return opened;
  }

  private void watch(Lane.Kind kind, Lane lane) {
    lane.channel().addShutdownListener(cause -> {
      boolean isReplaced = !lane.equals(lanes.get(kind));
      if (cause.isHardError() || (cause.isInitiatedByApplication() && !isReplaced)) {
        fail(cause);
      } else if (!isReplaced) {
        observer.closed(this, kind, lane, cause);
      }
    });
  }

  /**
   * Consumes, and returns the tag. RabbitMQ may deliver before it tells the tag (streams do), and
   * for a moment after a cancel (quorum queues do). The client ends a connection for a delivery
   * that it knows no consumer for, so the newest one takes those.
   */
  static String consume(
      Channel channel, String queue, boolean isAcked, Map<String, Object> how, Consumer consumer)
      throws IOException {
    channel.setDefaultConsumer(consumer);
    return channel.basicConsume(queue, isAcked, "", false, false, how, consumer);
  }

  private void consumeReplies(Channel replies) throws IOException {
    consume(replies, DIRECT_REPLY_TO, true, Map.of(), new DefaultConsumer(replies) {
      @Override
      public void handleDelivery(
          String tag, Envelope envelope, AMQP.BasicProperties properties, byte[] body) {
        observer.replied(properties, body);
      }
    });
  }

  private void unblocked() {
    readsSince = System.nanoTime();
    blocked = null;
  }

  Lane lane(Lane.Kind kind) {
    return requireNonNull(lanes.get(kind));
  }

  Collection<Lane> lanes() {
    return lanes.values();
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
      throw noChannel();
    }
    return channel;
  }

  private static IOException noChannel() {
    return new IOException("no channel is free on this connection (see channel_max of the broker"
        + " and requestedChannelMax of the client)");
  }

  /** Closes a channel; what it holds goes back to its queues. */
  static void abort(Channel channel) {
    try {
      if (channel.isOpen()) { // else its number would be free before the broker has answered
        channel.abort();
      }
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

  /** Returns since when the broker reads what is published. */
  long readsSince() {
    return readsSince;
  }

  /** Acknowledges; false if the broker has taken it back, or will. */
  boolean acknowledge(Channel channel, long tag) {
    return settle(() -> channel.basicAck(tag, false));
  }

  /** Puts it back, which the broker counts, or to the dead letters; false as above. */
  boolean reject(Channel channel, long tag, boolean back) {
    return settle(() -> channel.basicReject(tag, back));
  }

  /**
   * Uses a channel of a source, and ends this if that fails, unless the channel is closed: then the
   * source begins again, or has ended. One on which a queue does not answer is handed on. Returns
   * whether it was used.
   */
  boolean use(Use channel, Unanswered unanswered) {
    try {
      channel.run();
      return true;
    } catch (IOException | RuntimeException e) {
      Channel silent = BrokerErrors.unanswered(e);
      if (silent != null) {
        unanswered.on(silent);
      } else if (!BrokerErrors.isChannelError(e)) {
        fail(e);
      }
      return false;
    }
  }

  private boolean settle(Use settling) {
    try {
      settling.run();
      return true;
    } catch (AlreadyClosedException e) { // its source was closed, or the session is over
      return false;
    } catch (IOException | RuntimeException e) {
      fail(e);
      return false;
    }
  }

  /** Something that is written to the broker, or asked of it. */
  interface Use {
    void run() throws IOException;
  }

  /** Who looks after a channel on which a queue does not answer. */
  interface Unanswered {
    void on(Channel channel);
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
