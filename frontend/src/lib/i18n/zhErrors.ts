/** What errors are called and what to do about them, in Simplified Chinese. */
import { formatBytes } from "@/lib/format";
import type { Dictionary } from ".";

export const errors: Dictionary["errors"] = {
  retry: "重试",
  retryIn: (seconds) => `请在 ${String(seconds)} 秒后重试。`,
  fallback: "出错了。",
  titles: {
    unreachable: "无法连接服务",
    invalid_input: "请求有误",
    validation_error: "请求有误",
    upload_too_large: "文件太大",
    image_too_large: "图片太大",
    too_many_pages: "文档页数过多",
    unsupported_media_type: "无法识别这种文件",
    corrupt_image: "图片已损坏",
    corrupt_document: "文档已损坏",
    encrypted_document: "文档已加密",
    engine_overloaded: "服务繁忙",
    engine_not_ready: "模型尚未就绪",
    engine_timeout: "识别超时",
    engine_failed: "模型引擎出错",
    shutting_down: "服务正在关闭",
    all_pages_failed: "没有一页能够识别",
    task_not_found: "没有这个任务",
    task_not_finished: "任务尚未完成",
    task_already_finished: "任务已经结束",
    storage_unavailable: "服务无法保存文件",
    stored_file_not_found: "文件已不存在",
    request_canceled: "请求已取消",
    internal_error: "服务内部出错",
    page_error: "网页出错",
  },
  help: {
    unreachable: () => "请确认服务正在运行，然后重试。",
    invalid_input: fieldHelp,
    validation_error: ({ errors }) => fieldHelp(Array.isArray(errors) ? (errors[0] ?? {}) : {}),
    upload_too_large: ({ max_bytes: maxBytes }) =>
      typeof maxBytes === "number"
        ? `文件不能超过 ${formatBytes(maxBytes)}。请换一个较小的文件。`
        : "请换一个较小的文件。",
    image_too_large: imageSizeHelp,
    too_many_pages: ({ num_pages: pages, max_pages: max }) =>
      typeof pages === "number" && typeof max === "number"
        ? `共 ${formatNumber(pages)} 页，一次最多识别 ${formatNumber(max)} 页。请在“页码”中选择一部分，分几次识别。`
        : "",
    unsupported_media_type: () =>
      "可以识别图片（JPEG、PNG、WebP、TIFF、BMP、GIF、HEIC、AVIF）和文档（PDF、多页 TIFF）。请换一个文件，或先转换格式。",
    corrupt_image: () => "图片不完整或已损坏。请重新拍摄、导出或下载，然后再试。",
    corrupt_document: () => "文件无法打开。请重新导出或下载，然后再试。",
    encrypted_document: () => "请先去除密码，再重新上传。",
    engine_overloaded: () => "等待识别的页面太多，请稍后再试。",
    engine_timeout: ({ timeout_seconds: seconds }) =>
      `${typeof seconds === "number" ? `在 ${String(seconds)} 秒内没有读完。` : ""}请换一种更省的精度模式，或稍后再试。`,
    engine_failed: () => "模型引擎在这一页上反复中断，已放弃。请换一种精度模式再试。",
    shutting_down: () => "服务不再接收新任务，请等它恢复后再试。",
    all_pages_failed: () => "每一页都没能识别，各页的原因见下方。",
    task_not_found: () => "它可能已被删除，或已超过保存期限。",
    task_not_finished: () => "请等任务完成后再下载结果。",
    task_already_finished: () => "任务没有成功，因此没有结果文件；已识别的页面仍可查看。",
    stored_file_not_found: () => "文件已被删除，或从未生成。",
    request_canceled: () => "识别已被取消，可以重新开始。",
  },
  hints: {
    too_many_pages: "请在“页码”中选择一部分，分几次识别。",
    engine_not_ready: "模型正在加载或恢复，请稍后再试。",
    storage_unavailable: "请检查服务的磁盘空间、数据目录和数据库。",
    internal_error: "详细信息见服务日志。",
  },
};

type Values = Readonly<Record<string, unknown>>;

function fieldHelp(values: Values): string {
  const { field, min_dpi: min, max_dpi: max, max_characters: length, num_pages: pages } = values;
  if (field === "pages" && typeof pages === "number") {
    return `所选页码超出范围：文档只有 ${formatNumber(pages)} 页。`;
  }
  if (field === "pages") return "页码写法有误。请写页码或范围，用逗号分隔，例如 1-3,7。";
  if (field === "dpi") {
    const range = typeof min === "number" ? ` ${String(min)} 到 ${String(max)} 之间的` : "";
    return `分辨率有误。请填写${range}整数。`;
  }
  if (field === "image" || field === "pdf") return "文件是空的。请换一个文件。";
  if (field !== "query" && field !== "prompt") return "";
  const name = field === "query" ? "要查找的内容" : "提示词";
  return typeof length === "number"
    ? `${name}不能超过 ${formatNumber(length)} 个字符，请缩短。`
    : `请填写${name}。`;
}

function imageSizeHelp(values: Values): string {
  const { width, height, max_side_pixels: maxSide, max_pixels: maxPixels } = values;
  const advice = "请缩小图片，或裁成几页。";
  if (typeof width !== "number" || typeof height !== "number") return advice;
  const limit =
    typeof maxSide === "number"
      ? `单边不能超过 ${formatNumber(maxSide)} 像素`
      : `总共不能超过 ${formatNumber(Number(maxPixels))} 像素`;
  return `图片为 ${String(width)} × ${String(height)} 像素，${limit}。${advice}`;
}

function formatNumber(value: number): string {
  return value.toLocaleString("zh-CN");
}
