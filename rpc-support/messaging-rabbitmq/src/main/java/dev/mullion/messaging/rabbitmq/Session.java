package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.AlreadyClosedException;
import com.rabbitmq.client.BuiltinExchangeType;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.DefaultConsumer;
import com.rabbitmq.client.Envelope;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.IOException;
import java.util.List;
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
 *              delays       with confirms: copies for delay queues
 *              signals      without confirms
 *  receiving   one channel for each subscription, one for each question
 * </pre>
 */
final class Session {
  private static final String DIRECT_REPLY_TO = "amq.rabbitmq.reply-to";
  private static final int ABORT_MILLIS = 500;

  final Connection sending;
  final Connection receiving;
  private final Lane publishing;
  private final Lane requests;
  private final Lane delays;
  final Channel signals;
  private final Observer observer;
  private final AtomicBoolean over = new AtomicBoolean();
  private volatile @Nullable String blocked;
  private volatile long readsSince = System.nanoTime();

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
      this.publishing = Lane.open(sending.createChannel());
      this.requests = Lane.open(sending.createChannel());
      this.delays = Lane.open(sending.createChannel());
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
    lanes().forEach(each -> each.channel().addShutdownListener(this::fail));
    signals.addShutdownListener(this::fail);
    sending.addBlockedListener(reason -> blocked = reason, this::unblocked);
    signals.addReturnListener(returned -> observer.signalReturned(returned.getRoutingKey()));
    Channel replies = requests.channel();
    replies.basicConsume(DIRECT_REPLY_TO, true, new DefaultConsumer(replies) {
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
    return switch (kind) {
      case PUBLISHING -> publishing;
      case REQUESTS -> requests;
      case DELAYS -> delays;
    };
  }

  List<Lane> lanes() {
    return List.of(requests, delays, publishing);
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
   * source begins again, or has ended. Returns whether it was used.
   */
  boolean use(Use channel) {
    try {
      channel.run();
      return true;
    } catch (IOException | RuntimeException e) {
      if (!BrokerErrors.isChannelError(e)) {
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
