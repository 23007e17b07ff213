package dev.mullion.framing.tcp;

import static java.lang.System.Logger.Level.DEBUG;
import static java.lang.System.Logger.Level.WARNING;
import static java.util.Objects.requireNonNull;

import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FramingException;
import dev.mullion.framing.LengthDelimitedCodec;
import io.netty.channel.ChannelPipeline;
import java.io.UncheckedIOException;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** One of the three ways to handle connections: puts what it takes into a pipeline. */
@FunctionalInterface
interface Handling {
  void addTo(
      ChannelPipeline pipeline, ConnectionSettings settings, LoopWatch watch, boolean secure);

  /** On a thread of an executor, in blocking code. */
  static Handling blocking(ConnectionHandler handler, Executor executor) {
    return pulled(connection -> {
      try {
        executor.execute(() -> run(handler, connection));
      } catch (RejectedExecutionException e) {
        connection.link().handlerFailed(e);
      }
    });
  }

  /** By somebody who pulls frames, in whatever way. */
  static Handling pulled(Consumer<FramedConnection> onOpened) {
    return (pipeline, settings, watch, secure) ->
        pipeline.addLast(new QueueLink(settings, watch, secure, onOpened));
  }

  /** On the event loop, with the frames of a read at once. */
  static Handling batches(Supplier<? extends BatchHandler> handlers) {
    return (pipeline, settings, watch, secure) -> {
      BatchHandler handler;
      try {
        handler = requireNonNull(handlers.get(), "the handler that batchHandler made");
      } catch (RuntimeException | Error e) {
        settings.totals().handlersFailed.increment();
        String peer = " (peer " + pipeline.channel().remoteAddress() + ")";
        Link.LOG.log(WARNING, "no handler was made, closing connection" + peer, e);
        pipeline.channel().close();
        return;
      }
      LengthDelimitedCodec codec = codec(settings, settings.format());
      pipeline.addLast(codec, new BatchLink(settings, watch, secure, handler, codec));
    };
  }

  static LengthDelimitedCodec codec(ConnectionSettings settings, FrameFormat format) {
    return LengthDelimitedCodec.builder()
        .format(format)
        .tooLargePolicy(settings.tooLargePolicy())
        .counters(settings.totals().frames())
        .batches(true)
        .parts(settings.parts())
        // Frames are encoded before they come to it.
        .decodeOnly(true)
        .build();
  }

  private static void run(ConnectionHandler handler, FramedConnection connection) {
    Link link = connection.link();
    try {
      handler.handle(connection);
      link.ending.finish();
    } catch (Exception | Error e) {
      if (e instanceof InterruptedException) {
        Thread.currentThread().interrupt();
      }
      // The iterator wraps what it throws.
      Throwable error = e instanceof UncheckedIOException wrapped ? wrapped.getCause() : e;
      if (error instanceof FramingException || !connection.isOpen()) {
        Link.LOG.log(DEBUG, "handler ended with its connection (peer " + link.peer() + ")", e);
        link.ending.finish();
      } else {
        link.handlerFailed(e);
      }
    } finally {
      link.totals.bytesNotHandled.add(connection.inbox().bytesLeft());
    }
  }
}
