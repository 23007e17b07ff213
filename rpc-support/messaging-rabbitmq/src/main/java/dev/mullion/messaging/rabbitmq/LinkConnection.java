package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.Health;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.UnsupportedSettingException;
import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.net.Tls;
import dev.mullion.net.base.TlsReloader;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import java.io.IOException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * Keeps a link connected: one path for all that comes back after a loss. A new session is opened,
 * pending sends are repeated, subscriptions are restored, and then it is told.
 */
final class LinkConnection implements Session.Observer {
  private static final long FIRST_PAUSE_MILLIS = 100;
  private static final int MOST_LOSSES = 3;

  private final RabbitMqEngine engine;
  private final EngineContext context;
  private final RabbitMqLink link;
  private final ConnectionFactory factory;
  private final @Nullable TlsReloader files;
  private final EventLoopGroup group =
      new MultiThreadIoEventLoopGroup(1, Threads.named("io"), NioIoHandler.newFactory());
  private final ExecutorService deliveries = Threads.forDeliveries();
  private final ThreadPoolExecutor reconnects = Threads.one("reconnect");
  private final Object lock = new Object();
  private volatile @Nullable Session current;
  private volatile boolean closed;

  private final Outages outages;

  LinkConnection(RabbitMqEngine engine, EngineContext context, WriteGate gate, RabbitMqLink link)
      throws MessagingException {
    this.engine = engine;
    this.context = context;
    this.link = link;
    this.files = files(engine.tls());
    this.outages = new Outages(engine.maxBackoff());
    this.factory = engine.factory(group, files);
    factory.netty().channelCustomizer(gate::watch);
    factory.setExceptionHandler(new ClientExceptions(link::ask));
  }

  private static @Nullable TlsReloader files(@Nullable Tls tls) throws MessagingException {
    if (tls == null) {
      return null;
    }
    try {
      TlsReloader read = TlsReloader.read(tls, UnaryOperator.identity(), new LongAdder(), () -> {});
      read.start();
      return read;
    } catch (IOException e) {
      throw new UnsupportedSettingException(e.getMessage() + "; see RabbitMqEngine.Builder.tls", e);
    }
  }

  /** Connects for the first time; waits for a broker that is starting for the connect timeout. */
  void open() throws MessagingException {
    reconnects.prestartCoreThread(); // later there may be no memory for one
    long end = System.nanoTime() + Publisher.nanos(engine.connectTimeout());
    for (int attempt = 0; ; attempt++) {
      try {
        openOnce();
        return;
      } catch (IOException | TimeoutException | RuntimeException e) {
        if (!(BrokerErrors.isStarting(e) || BrokerErrors.hasFailed(e))
            || System.nanoTime() - end > 0
            || Thread.currentThread().isInterrupted()) {
          throw engine.errors().connecting(e, engine.user(), engine.virtualHost());
        }
      }
      pause(attempt);
    }
  }

  private void openOnce() throws IOException, TimeoutException, MessagingException {
    Session session = connect();
    boolean opened = false;
    try {
      link.restore(session);
      opened = publish(session);
      if (!opened) {
        throw new IOException("the connection was lost at once", outages.why());
      }
    } finally {
      if (!opened) {
        session.drop();
      }
    }
  }

  private Session connect() throws IOException, TimeoutException, MessagingException {
    Session session = Session.open(factory, this::connection, this);
    try {
      session.declareTopics(engine.entities().topics(), engine.creates());
      return session;
    } catch (IOException | TimeoutException | RuntimeException e) {
      session.drop();
      throw e;
    }
  }

  /** Opens a connection that is the caller's. */
  Connection another(String purpose) throws IOException, TimeoutException {
    return connection(factory, purpose);
  }

  private Connection connection(ConnectionFactory with, String purpose)
      throws IOException, TimeoutException {
    return with.newConnection(
        deliveries, engine.addresses(), engine.clientName() + " (" + purpose + ")");
  }

  /** Makes it the one to use, unless it has been lost meanwhile. */
  private boolean publish(Session session) {
    synchronized (lock) {
      if (session.isOver() || closed) {
        return false;
      }
      current = session;
      outages.opened();
      lock.notifyAll();
      return true;
    }
  }

  @Override
  public void lost(Session session, Throwable cause) {
    synchronized (lock) {
      outages.because(cause);
      if (current == session) { // else it is being opened, and its opener sees it
        outages.lost(); // before others see that there is none
        current = null;
        reconnects.execute(() -> reconnect(session, cause));
      }
    }
  }

  private void reconnect(Session lost, Throwable cause) {
    try {
      if (!closed) {
        MessagingException error = engine.errors().of(cause, "connection", false);
        context.events().connectionLost(engine.where(), error);
      }
      link.lost(lost, cause);
      lost.drop();
    } catch (RuntimeException | Error e) {
      Logs.warn("lost", "what was on a lost connection was not taken back", e);
    }
    if (restore()) {
      context.events().connectionRestored(engine.where(), outages.time());
    }
  }

  /**
   * At once; but not again and again, if what is restored ends each session. Returns false if this
   * is closed.
   */
  private boolean restore() {
    for (int attempt = Math.max(0, outages.shortSessions() - 1); !closed; attempt++) {
      if (attempt > 0) {
        pause(attempt - 1);
      }
      try {
        restoreOnce();
        return true;
      } catch (Throwable e) { // whatever it is, nobody else connects again
        outages.because(e);
      }
    }
    return false;
  }

  private void restoreOnce() throws IOException, TimeoutException, MessagingException {
    Session session = connect();
    boolean restored = false;
    try {
      link.restore(session);
      restored = publish(session);
      if (!restored) {
        Throwable why = outages.why();
        throw new IOException(
            "the connection was lost while it was restored: " + BrokerErrors.reason(why), why);
      }
    } finally {
      if (!restored) {
        session.end();
        link.lost(session, new IOException("the connection was lost while it was restored"));
        session.drop();
      }
    }
  }

  private void pause(int attempt) {
    long most = Math.min(
        FIRST_PAUSE_MILLIS << Math.min(attempt, 16),
        Math.max(1, engine.maxBackoff().toMillis()));
    long nanos = 1_000_000 * ThreadLocalRandom.current().nextLong(most / 2, most + 1);
    long end = System.nanoTime() + nanos;
    try {
      synchronized (lock) {
        for (long left = nanos; left > 0 && !closed; left = end - System.nanoTime()) {
          TimeUnit.NANOSECONDS.timedWait(lock, left);
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // of a caller that connects
    }
  }

  @Override
  public void closed(Session session, Lane.Kind kind, Lane lane, Throwable cause) {
    link.closed(session, kind, lane, cause);
  }

  @Override
  public void replied(AMQP.BasicProperties properties, byte[] body) {
    link.replied(properties, body);
  }

  @Override
  public void signalReturned(String routingKey) {
    link.signalReturned(routingKey);
  }

  @Nullable
  Session current() {
    Session session = current;
    return session == null || session.isOver() ? null : session;
  }

  /** Returns the session, or waits for one up to the connect timeout. */
  Session await() throws MessagingException {
    long end = System.nanoTime() + Publisher.nanos(engine.connectTimeout());
    synchronized (lock) {
      Session session = current();
      while (session == null && !closed) {
        long left = end - System.nanoTime();
        if (left <= 0) {
          break;
        }
        try {
          TimeUnit.NANOSECONDS.timedWait(lock, left);
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          throw new BrokerAwayException(
              "interrupted while waiting for broker " + engine.where(), e, false);
        }
        session = current();
      }
      if (session == null) {
        throw away();
      }
      return session;
    }
  }

  /** What is done on a session. */
  interface Use {
    void on(Session session) throws IOException, TimeoutException, MessagingException;
  }

  /**
   * Does something that may be done twice: again if the connection is lost or the broker fails
   * meanwhile, and for up to {@code answerTimeout} while it is starting.
   */
  void use(String what, Use use) throws MessagingException {
    long end = System.nanoTime() + Publisher.nanos(engine.answerTimeout());
    for (int attempt = 0; ; attempt++) {
      Session session = await();
      try {
        use.on(session);
        return;
      } catch (IOException | TimeoutException | RuntimeException e) {
        boolean again = BrokerErrors.isStarting(e)
            || (BrokerErrors.isLoss(e, session) && attempt < MOST_LOSSES);
        if (!again || System.nanoTime() - end > 0 || Thread.currentThread().isInterrupted()) {
          throw engine.errors().of(e, what, false);
        }
      }
      pause(attempt);
    }
  }

  /** What is done on a channel. */
  interface ChannelUse {
    void on(Channel channel) throws IOException;
  }

  /** As {@link #use}, on a channel that is closed afterwards. */
  void useChannel(String what, ChannelUse use) throws MessagingException {
    use(what, session -> {
      try (Channel channel = session.newChannel()) {
        use.on(channel);
      }
    });
  }

  /** Returns whether sends should fail at once, since the broker is away for too long. */
  boolean isAwayForLong() {
    return current == null && outages.time().compareTo(engine.awayTimeout()) > 0;
  }

  MessagingException away() {
    Throwable cause = outages.why();
    long millis = outages.time().toMillis();
    if (closed) {
      throw new IllegalStateException("messaging is closed");
    }
    return new BrokerAwayException(
        "broker " + engine.where() + " is away for " + millis + " ms: "
            + BrokerErrors.reason(cause),
        cause,
        false);
  }

  Health health() {
    Session session = current();
    if (session == null) {
      return closed
          ? new Health(false, "messaging is closed")
          : new Health(false, String.valueOf(away().getMessage()));
    }
    return session.isBlocked()
        ? new Health(
            false, "broker " + engine.where() + " blocks publishers: " + session.blockedReason())
        : new Health(true, "");
  }

  /** Ends the connections, within a short bound. */
  void close() {
    Session session;
    synchronized (lock) {
      closed = true;
      session = current;
      current = null;
      reconnects.shutdown();
      lock.notifyAll();
    }
    if (session != null) {
      session.end();
      link.lost(session, new IOException("the link was closed"));
      session.drop();
    }
    if (files != null) {
      files.close();
    }
    group.shutdownGracefully(0, 1, TimeUnit.SECONDS);
  }
}
