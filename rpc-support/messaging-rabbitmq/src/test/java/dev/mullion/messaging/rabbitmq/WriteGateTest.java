package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.rabbitmq.client.AMQP;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class WriteGateTest {
  private static final int CLOSE = 20 << 16 | 40;
  private static final int CLOSE_OK = 20 << 16 | 41;
  private static final int ACK = 60 << 16 | 80;

  private final WriteGate gate = new WriteGate();
  private final Client client = new Client();
  private final EmbeddedChannel connection = new EmbeddedChannel(client);

  /** Notes what it sees, and whether the gate was open then. */
  private final class Client extends ChannelInboundHandlerAdapter {
    private final List<Boolean> open = new ArrayList<>();
    private boolean fails;
    private int toldOfRoom;

    @Override
    public void channelRead(ChannelHandlerContext context, Object frame) {
      open.add(gate.isOpen());
      if (fails) {
        throw new IllegalStateException("as told");
      }
      context.fireChannelRead(frame);
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext context) {
      toldOfRoom++;
    }
  }

  @BeforeEach
  void watch() {
    gate.watch(connection);
  }

  private static ByteBuf method(int channel, int ids) {
    return Unpooled.buffer()
        .writeByte(AMQP.FRAME_METHOD)
        .writeShort(channel)
        .writeInt(4)
        .writeInt(ids)
        .writeByte(AMQP.FRAME_END);
  }

  private static ByteBuf heartbeat() {
    return Unpooled.buffer()
        .writeByte(AMQP.FRAME_HEARTBEAT)
        .writeShort(0)
        .writeInt(0)
        .writeByte(AMQP.FRAME_END);
  }

  private void setWritable(boolean writable) {
    connection.unsafe().outboundBuffer().setUserDefinedWritability(1, writable);
    connection.runPendingTasks();
  }

  private CompletableFuture<Void> awaitOpen() {
    return CompletableFuture.runAsync(() -> {
      try {
        gate.awaitOpen(30_000);
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    });
  }

  // It waited for room within a message, with the lock for which the event loop waited.
  @Test
  void clientIsNotToldThatThereIsNoRoom() throws Exception {
    assertThat(gate.isOpen()).isTrue();
    connection.write(heartbeat());
    setWritable(false);
    assertThat(gate.isOpen()).isFalse();
    assertThat(gate.hasRoom()).isFalse();
    assertThat((ByteBuf) connection.readOutbound()).as("flushed").isEqualTo(heartbeat());

    CompletableFuture<Void> waiting = awaitOpen();
    setWritable(true);
    waiting.get(20, TimeUnit.SECONDS);
    assertThat(client.toldOfRoom).isZero();
  }

  @Test
  void waitsNoLongerThanItMay() throws Exception {
    setWritable(false);
    gate.awaitOpen(1);
    assertThat(gate.isOpen()).isFalse();
  }

  @Test
  void isShutWhileTheClientHandlesAClose() {
    connection.writeInbound(method(1, CLOSE), method(3, ACK), heartbeat(), method(1, CLOSE_OK));
    assertThat(client.open).containsExactly(false, true, true, false);
    assertThat(gate.isOpen()).isTrue();
    assertThat(connection.inboundMessages()).hasSize(4);
  }

  @Test
  void isOpenAfterACloseThatFails() {
    client.fails = true;
    assertThatThrownBy(() -> connection.writeInbound(method(1, CLOSE))).hasMessage("as told");
    assertThat(client.open).containsExactly(false);
    assertThat(gate.isOpen()).isTrue();
  }

  // Nothing was read without room, so the connection ended without heartbeats.
  @Test
  void allIsReadWithoutRoom() {
    setWritable(false);
    connection.writeInbound(method(1, CLOSE), heartbeat(), method(3, ACK));
    assertThat(connection.inboundMessages())
        .containsExactly(method(1, CLOSE), heartbeat(), method(3, ACK));
    assertThat(connection.config().isAutoRead()).isTrue();
  }

  @Test
  void answerToACloseTakesItsTurn() {
    connection.eventLoop().execute(() -> connection.writeAndFlush(method(1, ACK)));
    connection.pipeline().writeAndFlush(method(1, CLOSE_OK));
    connection.runPendingTasks();
    assertThat(connection.outboundMessages()).containsExactly(method(1, ACK), method(1, CLOSE_OK));
  }

  @Test
  void endOfAConnectionGivesRoom() throws Exception {
    setWritable(false);
    CompletableFuture<Void> waiting = awaitOpen();
    connection.close();
    connection.runPendingTasks();
    waiting.get(20, TimeUnit.SECONDS);
    assertThat(gate.isOpen()).isTrue();
  }
}
