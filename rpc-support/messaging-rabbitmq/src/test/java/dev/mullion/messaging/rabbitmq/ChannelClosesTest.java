package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThat;

import com.rabbitmq.client.AMQP;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The broker closes a channel while nothing can be written. */
class ChannelClosesTest {
  private static final int CLOSE = 20 << 16 | 40;
  private static final int CLOSE_OK = 20 << 16 | 41;
  private static final int ACK = 60 << 16 | 80;

  private final ChannelCloses closes = new ChannelCloses();
  private final EmbeddedChannel connection =
      new EmbeddedChannel(new ChannelInboundHandlerAdapter());

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

  @BeforeEach
  void begin() {
    closes.handle(connection);
    setWritable(false);
  }

  private void setWritable(boolean writable) {
    connection.unsafe().outboundBuffer().setUserDefinedWritability(1, writable);
    connection.runPendingTasks();
  }

  private List<Object> arrived() {
    List<Object> all = new ArrayList<>(connection.inboundMessages());
    connection.inboundMessages().clear();
    return all;
  }

  // Nothing was read meanwhile, so the connection ended without heartbeats.
  @Test
  void closesWaitAndAllElseIsRead() {
    connection.writeInbound(
        method(1, CLOSE), heartbeat(), method(2, CLOSE), method(3, ACK), method(1, CLOSE_OK));
    assertThat(arrived()).containsExactly(heartbeat(), method(3, ACK));
    assertThat(connection.config().isAutoRead()).isTrue();
    assertThat(closes.areUnderWay()).isTrue();

    setWritable(true);
    assertThat(arrived()).containsExactly(method(1, CLOSE), method(2, CLOSE), method(1, CLOSE_OK));
    assertThat(closes.areUnderWay()).isFalse();
  }

  @Test
  void endOfAConnectionIsTheEndOfItsCloses() {
    ByteBuf close = method(1, CLOSE);
    connection.writeInbound(close, method(2, CLOSE));
    assertThat(closes.areUnderWay()).isTrue();

    connection.close();
    connection.runPendingTasks();
    assertThat(closes.areUnderWay()).isFalse();
    assertThat(close.refCnt()).isZero();
    assertThat(arrived()).isEmpty();
  }
}
