/**
 * What the modules of Mullion share and users do not see: {@link dev.mullion.net.base.BoundedLog} logs
 * what can repeat.
 */
@NullMarked
package dev.mullion.net.base;

import org.jspecify.annotations.NullMarked;
