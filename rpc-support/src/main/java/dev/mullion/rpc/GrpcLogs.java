package dev.mullion.rpc;

import dev.mullion.net.base.BoundedLog;
import java.util.Arrays;
import java.util.List;
import java.util.logging.Filter;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;
import org.jspecify.annotations.Nullable;

/**
 * Bounds what gRPC logs of its peers: it has a line with a stack trace for each frame that is
 * wrong, of which one connection can send some ten thousand in a second. Of each kind one line a
 * second is left, under its own name and at its own level, with the number of those left out. Lines
 * below {@code INFO}, which somebody has asked for, are all there.
 */
final class GrpcLogs implements Filter {
  /** What a peer can cause as often as it likes, by how the line begins. */
  private enum Line {
    STREAM_ERROR("Stream Error"),
    HEADERS("Exception in onHeadersRead"),
    DATA("Exception in onDataRead"),
    RESET("Exception in onRstStreamRead"),
    MESSAGE("Exception processing message"),
    TRANSPORT("Transport failed"),
    TRAILERS("Expected header TE"),
    PING("Received unexpected ping ack"),
    OTHER("");

    private final String beginning;

    Line(String beginning) {
      this.beginning = beginning;
    }

    static Line of(@Nullable String text) {
      return Arrays.stream(values())
          .filter(each -> text != null && text.startsWith(each.beginning))
          .findFirst()
          .orElse(OTHER);
    }
  }

  private static final List<String> NAMES = List.of(
      "io.grpc.netty.NettyServerHandler",
      "io.grpc.netty.NettyServerStream",
      "io.grpc.netty.NettyServerTransport.connections",
      "io.grpc.netty.NettyClientHandler",
      "io.grpc.netty.NettyClientStream",
      "io.grpc.internal.AbstractServerStream",
      "io.grpc.internal.AbstractClientStream",
      "io.grpc.internal.ClientCallImpl",
      "io.grpc.internal.SerializingExecutor",
      "io.grpc.internal.ServerCallImpl",
      "io.grpc.internal.ServerImpl");

  /** The log manager would let go of them, and their filters with them. */
  private static final List<Logger> BOUNDED =
      NAMES.stream().map(GrpcLogs::bounded).toList();

  /** Set while a line that is left comes here again. */
  private static final ThreadLocal<Boolean> LEFT = ThreadLocal.withInitial(() -> false);

  /** Puts the arguments into a message. */
  private static final SimpleFormatter FORMAT = new SimpleFormatter();

  private final BoundedLog<Line> log;
  private final @Nullable Filter before;

  private GrpcLogs(Logger logger) {
    log = new BoundedLog<>(System.getLogger(logger.getName()), Line.class);
    before = logger.getFilter();
  }

  /** Bounds them, if they are not bounded yet; returns how many. */
  static int bound() {
    return BOUNDED.size();
  }

  private static Logger bounded(String name) {
    Logger logger = Logger.getLogger(name);
    logger.setFilter(new GrpcLogs(logger));
    return logger;
  }

  @Override
  public boolean isLoggable(LogRecord entry) {
    if (before != null && !before.isLoggable(entry)) {
      return false;
    }
    if (LEFT.get() || entry.getLevel().intValue() < Level.INFO.intValue()) {
      return true;
    }
    Object peer = FirstBytes.peerBeingRead();
    LEFT.set(true);
    try {
      log.log(
          Line.of(entry.getMessage()),
          level(entry.getLevel()),
          peer,
          () -> FORMAT.formatMessage(entry) + (peer == null ? "" : " (peer " + peer + ")"),
          entry.getThrown());
    } finally {
      LEFT.remove();
    }
    return false;
  }

  private static System.Logger.Level level(Level level) {
    if (level.intValue() >= Level.SEVERE.intValue()) {
      return System.Logger.Level.ERROR;
    }
    return level.intValue() >= Level.WARNING.intValue()
        ? System.Logger.Level.WARNING
        : System.Logger.Level.INFO;
  }
}
