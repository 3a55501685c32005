/* Draws a line of pre-rendered glyphs, and the character map that goes with it. */
#include <stdint.h>

/* page: ink, height x width, drawn with max. labels: one class per 8 x 4 pixels (rows x columns).
   Glyph g of a face begins at glyphs[offset[face * num_characters + g]]; boxes holds width, height, left, top.
   Returns the pen's x after the last character. */
float blit_line(uint8_t *page, int width, int height, uint8_t *labels, const uint8_t *text, int length, float x,
                int baseline, float tracking, float word_space, int face, int num_characters, const uint8_t *glyphs,
                const int64_t *offset, const int16_t *boxes, const float *advance, int ascent, int descent)
{
    int label_width = width / 4, label_height = height / 8;
    for (int i = 0; i < length; i++) {
        int glyph = face * num_characters + text[i];
        const int16_t *box = boxes + glyph * 4;
        int left = (int)(x + 0.5f) + box[2], top = baseline + box[3];
        const uint8_t *source = glyphs + offset[glyph];
        for (int row = 0; row < box[1]; row++, source += box[0]) {
            if (top + row < 0 || top + row >= height) continue;
            uint8_t *target = page + (int64_t)(top + row) * width;
            for (int column = 0; column < box[0]; column++) {
                int at = left + column;
                if (at >= 0 && at < width && source[column] > target[at]) target[at] = source[column];
            }
        }
        float next = x + advance[glyph] + tracking + (text[i] == 0 ? word_space : 0.0f);
        if (text[i]) {
            int y0 = (baseline - ascent + 4) / 8, y1 = (baseline + descent - 4) / 8;
            int x0 = (int)(x / 4 + 0.5f), x1 = (int)(next / 4 - 0.5f);
            if (x1 < x0) x1 = x0;
            if (y1 < y0) y1 = y0;
            for (int row = y0; row <= y1; row++)
                for (int column = x0; column <= x1; column++)
                    if (row >= 0 && row < label_height && column >= 0 && column < label_width)
                        labels[row * label_width + column] = text[i];
        }
        x = next;
    }
    return x;
}
