// The one kernel of this project; config.h says which layer it is.
#ifndef M3VIT_TOP_H_
#define M3VIT_TOP_H_

#include "ap_int.h"
#include "config.h"

typedef ap_uint<8 * Config::word_bytes> memory_word_t;
typedef ap_uint<Config::input_bits> input_word_t;
typedef ap_uint<Config::output_bits> output_word_t;

extern "C" void M3VIT_TOP(const memory_word_t *memory, const input_word_t *input,
                          output_word_t *output, unsigned task);

#endif
