package dev.mullion.framing.benchmark;

import dev.mullion.framing.FrameBatch;
import dev.mullion.framing.tcp.BatchHandler;
import dev.mullion.framing.tcp.FramedConnection;
import dev.mullion.framing.tcp.FramedServer;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.ByteBuffer;

/**
 * A server on one event loop for measuring the ways to write a handler: {@code StyleServer <style>
 * <port>}. It answers each frame with itself, in style {@code reverse} with its bytes in reverse.
 */
public final class StyleServer {
  private StyleServer() {}

  /** Serves until it is killed. */
  public static void main(String[] arguments) throws Exception {
    FramedServer.Builder builder =
        FramedServer.builder().port(Integer.parseInt(arguments[1])).eventLoopThreads(1);
    switch (arguments[0]) {
      case "blocking" ->
        builder.handler(connection -> {
          for (byte[] frame : connection) {
            connection.send(frame);
          }
        });
      case "batch" -> builder.batchHandler(() -> StyleServer::echo);
      case "reverse" -> builder.batchHandler(Reverser::new);
      case "reactive" ->
        builder.reactiveHandler(
            connection -> connection.publisher().subscribe(connection.subscriber()));
      default ->
        throw new IllegalArgumentException(
            "style: " + arguments[0] + " (expected: blocking, batch, reverse or reactive)");
    }
    try (FramedServer server = builder.start()) {
      server.awaitTermination();
    }
  }

  private static void echo(FramedConnection connection, FrameBatch batch) {
    for (int i = 0; i < batch.size(); i++) {
      connection.reply(batch.buffer(), batch.offset(i), batch.length(i));
    }
  }

  /**
   * Works on each byte, without an object for a frame. It reverses the bytes twice: a load generator
   * wants back what it has sent.
   */
  private static final class Reverser implements BatchHandler {
    private ByteBuffer reversed = ByteBuffer.allocateDirect(1024);
    private ByteBuffer restored = ByteBuffer.allocateDirect(1024);
    private ByteBuf reply = Unpooled.wrappedBuffer(restored);

    @Override
    public void frames(FramedConnection connection, FrameBatch batch) {
      int start = batch.wireOffset();
      ByteBuffer wire = batch.buffer().nioBuffer(start, batch.wireLength());
      for (int i = 0; i < batch.size(); i++) {
        int length = batch.length(i);
        makeRoom(length);
        reverse(wire, batch.offset(i) - start, length, reversed);
        reverse(reversed, 0, length, restored);
        connection.reply(reply, 0, length);
      }
    }

    private void makeRoom(int length) {
      if (length > restored.capacity()) {
        reversed = ByteBuffer.allocateDirect(length);
        restored = ByteBuffer.allocateDirect(length);
        reply = Unpooled.wrappedBuffer(restored);
      }
    }

    private static void reverse(ByteBuffer from, int start, int length, ByteBuffer to) {
      int left = length;
      int at = 0;
      for (; left >= Long.BYTES; at += Long.BYTES) {
        left -= Long.BYTES;
        to.putLong(at, Long.reverseBytes(from.getLong(start + left)));
      }
      for (; left > 0; at++) {
        left--;
        to.put(at, from.get(start + left));
      }
    }
  }
}
