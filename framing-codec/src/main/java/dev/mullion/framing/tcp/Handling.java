package dev.mullion.framing.tcp;

import static java.lang.System.Logger.Level.WARNING;
import static java.util.Objects.requireNonNull;

import io.netty.channel.ChannelPipeline;
import io.netty.channel.EventLoopGroup;
import java.net.SocketAddress;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** One of the three ways to handle connections; adds its handlers to a pipeline. */
@FunctionalInterface
interface Handling {
  void addTo(
      ChannelPipeline pipeline, ConnectionSettings settings, LoopWatch watch, boolean secure);

  /** Passes the event loops; called once, before the first connection. */
  default void begin(EventLoopGroup loops) {}

  /** Ends its own threads and the connections that wait for one. */
  default void close() {}

  /** By a receiver that pulls frames, in any way. */
  static Handling pulled(Consumer<FramedConnection> onOpened) {
    return (pipeline, settings, watch, secure) ->
        pipeline.addLast(new QueueLink(settings, watch, secure, onOpened));
  }

  /** On the event loop, with all frames of a read at once. */
  static Handling batches(Supplier<? extends BatchHandler> handlers) {
    return (pipeline, settings, watch, secure) -> {
      BatchHandler handler;
      try {
        handler = requireNonNull(handlers.get(), "handler made by batchHandler");
      } catch (Throwable e) {
        settings.totals().handlersFailed.increment();
        SocketAddress peer = pipeline.channel().remoteAddress();
        settings.log().log(
            Event.HANDLER_FAILED,
            WARNING,
            peer,
            () -> "batchHandler made no handler, closing connection (peer " + peer + ")",
            e);
        pipeline.channel().close();
        return;
      }
      pipeline.addLast(new BatchLink(settings, watch, secure, handler));
    };
  }
}
